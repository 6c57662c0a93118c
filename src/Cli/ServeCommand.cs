using System.CommandLine;
using System.Globalization;
using Hearth.Silo;
using Microsoft.Extensions.Logging;

namespace Hearth.Cli;

/// <summary><c>hearth serve</c>: gateway, silo and store in one process.</summary>
static class ServeCommand
{
    static readonly Option<string?> _data =
        Flag.Text("--data", "Where conversations and their caches are kept", DefaultData());

    static readonly Option<string?> _spillLimit =
        Flag.Size("--spill-limit", "Most bytes of caches on disk, the oldest go first; 16g if not given");

    public static Command Create() => Hosting.Command("serve",
        "Serve a model on this machine.\n\nExample: hearth serve --model ./llama --kv-memory 4g",
        RunAsync, ModelFlags.All, [_data, _spillLimit, ClusterFlags.Retention], HttpFlags.All);

    static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var time = TimeProvider.System;
        var start = time.GetTimestamp();
        using var loggers = LoggerFactory.Create(builder => Hosting.Logging(builder, arguments));
        await using var silo = SiloHost.Open(SiloOptionsOf(arguments), loggers, time);
        // Ends first, to send the last of what the others have.
        using var telemetry = Telemetry.Start(arguments, "serve");
        await using var gateway = Hosting.Gateway(arguments, HttpFlags.Read(arguments), silo.Cluster);
        await Hosting.StartAsync(gateway, arguments.GetValue(HttpFlags.Urls)!, cancellationToken);
        await silo.LoadAsync(new LoadingLine(time).Report, cancellationToken);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"Ready in {time.GetElapsedTime(start).TotalSeconds:0.0} s at {gateway.Urls.First()}: " +
            $"{Hosting.Describe(silo.Cluster.Models[0], silo.Cluster.Status.Load)}. " +
            $"Try: hearth chat, or open the address in a browser."));
        await Hosting.StopAskedAsync(cancellationToken);
        await Console.Error.WriteLineAsync("Stopping: running turns are finished first.");
        // The gateway lets running turns end before the silo goes.
        await gateway.StopAsync(StopSignals.Instance.Hurry);
        return ExitCodes.Success;
    }

    static SiloOptions SiloOptionsOf(ParseResult arguments)
    {
        var options = new SiloOptions { Model = ModelFlags.Read(arguments), DataDirectory = arguments.GetValue(_data)! };
        return options with
        {
            SpillBytesMax = Flag.Bytes(arguments.GetValue(_spillLimit)) ?? options.SpillBytesMax,
            Retention = ClusterFlags.ReadRetention(arguments),
        };
    }

    static string DefaultData()
    {
        const Environment.SpecialFolder folder = Environment.SpecialFolder.LocalApplicationData;
        var home = Environment.GetFolderPath(folder, Environment.SpecialFolderOption.DoNotVerify);
        return home.Length > 0 ? Path.Combine(home, "hearth") : "hearth-data";
    }
}
