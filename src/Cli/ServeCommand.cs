using System.CommandLine;
using System.Globalization;
using Hearth.Contracts;
using Hearth.Gateway;
using Hearth.Silo;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Hearth.Cli;

/// <summary><c>hearth serve</c>: gateway, silo and store in one process.</summary>
static class ServeCommand
{
    public static Command Create()
    {
        var command = new Command("serve",
            "Serve a model on this machine.\n\nExample: hearth serve --model ./llama --kv-memory 4g");
        foreach (var flag in ServeFlags.All)
            command.Options.Add(flag);
        command.SetAction(RunAsync);
        return command;
    }

    static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var time = TimeProvider.System;
        var start = time.GetTimestamp();
        using var loggers = LoggerFactory.Create(builder => Logging(builder, arguments));
        await using var silo = SiloHost.Open(SiloOptionsOf(arguments), loggers, time);
        await using var gateway = Gateway(arguments, silo.Cluster);
        await StartAsync(gateway, arguments.GetValue(ServeFlags.Urls)!, cancellationToken);
        await silo.LoadAsync(new LoadingLine(time).Report, cancellationToken);
        Console.WriteLine(ReadyLine(silo.Cluster, gateway, time.GetElapsedTime(start)));
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("Stopping: running turns are finished first.");
        }
        // The gateway lets running turns end before the silo goes.
        await gateway.StopAsync(CancellationToken.None);
        return ExitCodes.Success;
    }

    static SiloOptions SiloOptionsOf(ParseResult arguments)
    {
        var demo = Path.Combine(AppContext.BaseDirectory, "models", "demo");
        var model = (arguments.GetValue(ServeFlags.Model) ?? demo).Split('=', 2);
        var options = new SiloOptions
        {
            ModelDirectory = model[0],
            ModelName = model.Length > 1 ? model[1] : null,
            DataDirectory = arguments.GetValue(ServeFlags.Data)!,
            Threads = arguments.GetValue(ServeFlags.Threads),
            KvType = arguments.GetValue(ServeFlags.KvType)!,
            ContextLength = arguments.GetValue(ServeFlags.Context) is > 0 and var context ? context : null,
            MaxBatchTokens = arguments.GetValue(ServeFlags.MaxBatchTokens),
        };
        return options with
        {
            KvMemoryBytes = arguments.GetValue(ServeFlags.KvMemory) ?? options.KvMemoryBytes,
            HostMemoryBytes = arguments.GetValue(ServeFlags.HostMemory) ?? options.HostMemoryBytes,
            SpillBytesMax = arguments.GetValue(ServeFlags.SpillLimit) ?? options.SpillBytesMax,
        };
    }

    static WebApplication Gateway(ParseResult arguments, ICluster cluster)
    {
        var options = new GatewayOptions
        {
            Urls = List(arguments.GetValue(ServeFlags.Urls)),
            ApiKeyFile = arguments.GetValue(ServeFlags.ApiKeyFile),
            AllowAnonymous = arguments.GetValue(ServeFlags.Anonymous),
            AllowedHosts = List(arguments.GetValue(ServeFlags.AllowedHosts)),
            CorsOrigins = List(arguments.GetValue(ServeFlags.CorsOrigins)),
        };
        try
        {
            return GatewayHost.Build(options, cluster, builder => Logging(builder, arguments));
        }
        catch (Exception error) when (error is ArgumentException or FormatException)
        {
            throw new CliException(error.Message, ExitCodes.Usage);
        }
    }

    static async Task StartAsync(WebApplication gateway, string urls, CancellationToken cancellationToken)
    {
        try
        {
            await gateway.StartAsync(cancellationToken);
        }
        catch (IOException error)
        {
            throw new CliException(
                $"Cannot listen on {urls}: {error.Message} Choose another address with --urls.", ExitCodes.Temporary);
        }
    }

    static string ReadyLine(ICluster cluster, WebApplication gateway, TimeSpan took)
    {
        var model = cluster.Models[0];
        var load = cluster.Status.Load;
        return string.Create(CultureInfo.InvariantCulture,
            $"Ready in {took.TotalSeconds:0.0} s at {gateway.Urls.First()}: model {model.Name} ({model.Family}, " +
            $"{model.Parameters / 1e6:0.#}M parameters, context {model.ContextLength}), " +
            $"caches of {(long)load.BlocksTotal * load.BlockTokens} tokens. " +
            $"Try: hearth chat, or open the address in a browser.");
    }

    static void Logging(ILoggingBuilder builder, ParseResult arguments)
    {
        var text = arguments.GetValue(ServeFlags.LogLevel)!;
        if (!Enum.TryParse(text, ignoreCase: true, out LogLevel level))
            throw new CliException($"--log-level: '{text}' is none; use debug, information, warning or error.", ExitCodes.Usage);
        builder.SetMinimumLevel(level);
        builder.AddSimpleConsole(console => (console.SingleLine, console.TimestampFormat) = (true, "HH:mm:ss "));
        builder.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
    }

    static string[] List(string? text) =>
        text?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
}
