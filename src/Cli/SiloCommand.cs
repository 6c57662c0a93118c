using System.CommandLine;
using System.Globalization;
using Hearth.Cli.Admin;
using Hearth.Gateway;
using Hearth.Silo;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace Hearth.Cli;

/// <summary><c>hearth silo</c>: a worker of a cluster; and below it what an operator does with silos.</summary>
static class SiloCommand
{
    static readonly Argument<string> _silo = new("SILO") { Description = "Id or name of the silo" };

    public static Command Create()
    {
        var command = Hosting.Command("silo",
            "Serve a model to a cluster. SIGTERM moves its conversations to the others and ends it; a second one hurries.\n\n" +
            "Example: hearth silo --redis 127.0.0.1:6379 --name silo-0 --model ./llama",
            RunAsync, ClusterFlags.All, SiloFlags.All, ModelFlags.All);
        command.Subcommands.Add(AdminVerb.Create("ls", "List the silos of the cluster.\n\nExample: hearth silo ls", [],
            (client, _, stop) => client.SendAsync(HttpMethod.Get, "admin/cluster", null, stop),
            answer => AdminVerb.ShowRows(answer["silos"]!.AsArray(),
                ("silo", s => AdminVerb.Text(s["id"])),
                ("address", s => AdminVerb.Text(s["address"])),
                ("pid", s => AdminVerb.Text(s["pid"])),
                ("status", s => AdminVerb.Text(s["status"])),
                ("models", s => AdminVerb.Text(s["models"])),
                ("conversations", s => AdminVerb.Text(s["conversations"])),
                ("running", s => $"{AdminVerb.Text(s["running"])} + {AdminVerb.Text(s["waiting"])} waiting"),
                ("blocks", s => $"{AdminVerb.Text(s["blocks_used"])} of {AdminVerb.Text(s["blocks_total"])}"))));
        command.Subcommands.Add(AdminVerb.Create("drain",
            "Move every conversation of a silo to the others, and end it.\n\nExample: hearth silo drain silo-0", [_silo],
            (client, arguments, stop) => client.SendAsync(
                HttpMethod.Post, $"admin/silos/{Uri.EscapeDataString(arguments.GetValue(_silo)!)}/drain", [], stop),
            AdminVerb.ShowFields));
        return command;
    }

    static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var time = TimeProvider.System;
        var start = time.GetTimestamp();
        using var loggers = LoggerFactory.Create(builder => Hosting.Logging(builder, arguments));
        await using var silo = await ClusterSilo.OpenAsync(SiloFlags.Read(arguments), loggers, time, cancellationToken);
        // Ends first, to send the last of what the others have.
        using var telemetry = Telemetry.Start(arguments, "silo");
        await using var probes = await ProbesAsync(arguments, silo, cancellationToken);
        await silo.LoadAsync(new LoadingLine(time).Report, cancellationToken);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"Ready in {time.GetElapsedTime(start).TotalSeconds:0.0} s: silo {silo.Id} at {silo.Address}, " +
            $"{Hosting.Describe(silo.Cluster.Models[0], silo.Cluster.Status.Load)}" +
            $"{(probes is null ? "" : $"; probes at {probes.Urls.First()}")}."));
        if (await Task.WhenAny(silo.Died, silo.DrainAsked, Hosting.StopAskedAsync(cancellationToken)) == silo.Died)
            return await DiedAsync(silo);
        await Console.Error.WriteLineAsync("Draining: conversations are moved to the other silos; a second signal hurries.");
        var drained = silo.DrainAsync(StopSignals.Instance.Hurry);
        if (await Task.WhenAny(drained, silo.Died) == silo.Died)
            return await DiedAsync(silo);
        await drained;
        return ExitCodes.Success;
    }

    /// <summary>Others own its conversations now: nothing is worth a moment of waiting.</summary>
    static async Task<int> DiedAsync(ClusterSilo silo)
    {
        await Console.Error.WriteLineAsync(
            $"The cluster has declared {silo.Id} dead: it was not heard of for a whole lease. It ends; start it again.");
        Environment.Exit(ExitCodes.Temporary);
        return ExitCodes.Temporary;
    }

    static async Task<WebApplication?> ProbesAsync(ParseResult arguments, ClusterSilo silo, CancellationToken cancellationToken)
    {
        if (arguments.GetValue(SiloFlags.Urls) is not { Length: > 0 } urls)
            return null;
        try
        {
            var probes = ProbeHost.Build(Flag.List(urls), () => silo.Status, builder => Hosting.Logging(builder, arguments));
            await Hosting.StartAsync(probes, urls, cancellationToken);
            return probes;
        }
        catch (ArgumentException error)
        {
            throw new CliException(error.Message, ExitCodes.Usage);
        }
    }
}
