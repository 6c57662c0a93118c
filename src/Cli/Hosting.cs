using System.CommandLine;
using System.Globalization;
using Hearth.Contracts;
using Hearth.Gateway;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Hearth.Cli;

/// <summary>What the verbs that run a server have in common.</summary>
static class Hosting
{
    public static Option<string?> LogLevel { get; } = Flag.Text("--log-level", "debug, information, warning or error", "warning");

    public static Option<string?> LogFormat { get; } = Flag.Text("--log-format",
        "text for people, json for machines: one object a line, with trace, conversation, turn and silo", "text");

    public static Command Command(string name, string help, Func<ParseResult, CancellationToken, Task<int>> run,
        params IReadOnlyList<Option>[] flags)
    {
        var command = new Command(name, help);
        foreach (var flag in flags.SelectMany(f => f).Append(LogLevel).Append(LogFormat).Append(Telemetry.Collector))
            command.Options.Add(flag);
        command.SetAction(run);
        return command;
    }

    public static void Logging(ILoggingBuilder builder, ParseResult arguments)
    {
        var text = arguments.GetValue(LogLevel)!;
        if (!Enum.TryParse(text, ignoreCase: true, out LogLevel level))
            throw new CliException($"--log-level: '{text}' is none; use debug, information, warning or error.", ExitCodes.Usage);
        builder.SetMinimumLevel(level);
        builder.Configure(options =>
            options.ActivityTrackingOptions = ActivityTrackingOptions.TraceId | ActivityTrackingOptions.SpanId);
        switch (arguments.GetValue(LogFormat))
        {
            case "text":
                builder.AddSimpleConsole(console => (console.SingleLine, console.TimestampFormat) = (true, "HH:mm:ss "));
                break;
            case "json":
                builder.AddJsonConsole(console =>
                    (console.IncludeScopes, console.UseUtcTimestamp, console.TimestampFormat) = (true, true, "O"));
                break;
            case var other:
                throw new CliException($"--log-format: '{other}' is none; use text or json.", ExitCodes.Usage);
        }
        builder.Services.Configure<ConsoleLoggerOptions>(
            console => console.LogToStandardErrorThreshold = Microsoft.Extensions.Logging.LogLevel.Trace);
    }

    public static WebApplication Gateway(ParseResult arguments, GatewayOptions options, ICluster cluster)
    {
        try
        {
            return GatewayHost.Build(options, cluster, builder => Logging(builder, arguments));
        }
        catch (Exception error) when (error is ArgumentException or FormatException)
        {
            throw new CliException(error.Message, ExitCodes.Usage);
        }
    }

    public static async Task StartAsync(WebApplication server, string urls, CancellationToken cancellationToken)
    {
        try
        {
            await server.StartAsync(cancellationToken);
        }
        catch (IOException error)
        {
            throw new CliException(
                $"Cannot listen on {urls}: {error.Message} Choose another address with --urls.", ExitCodes.Temporary);
        }
    }

    /// <summary>Returns when the process is told to end.</summary>
    public static Task StopAskedAsync(CancellationToken stop) => PauseAsync(Timeout.InfiniteTimeSpan, stop);

    public static async Task PauseAsync(TimeSpan pause, CancellationToken stop)
    {
        try
        {
            await Task.Delay(pause, TimeProvider.System, stop);
        }
        catch (OperationCanceledException)
        {
            // That is what was waited for, or reason enough to wait no longer.
        }
    }

    /// <summary>What a model is, for the line that says that it is served.</summary>
    public static string Describe(ModelCard model, EngineLoad load) => string.Create(CultureInfo.InvariantCulture,
        $"model {model.Name} ({model.Family}, {model.Parameters / 1e6:0.#}M parameters, context {model.ContextLength}), " +
        $"caches of {(long)load.BlocksTotal * load.BlockTokens} tokens");
}
