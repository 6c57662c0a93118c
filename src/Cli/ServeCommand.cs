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
    static readonly Option<string?> _model = Flag.Text("--model", "The checkpoint's directory, or DIR=NAME; the demo model if not given");
    static readonly Option<string?> _urls = Flag.Text("--urls", "Where to listen, separated by ;", "http://127.0.0.1:8080");
    static readonly Option<string?> _data = Flag.Text("--data", "Where conversations and their caches are kept", DefaultData());
    static readonly Option<int> _threads = Flag.Number("--threads", "Threads of the model; 0 takes one per processor", 0);
    static readonly Option<long?> _kvMemory = Flag.Size("--kv-memory", "Memory of the caches in use; a quarter of the machine's, up to 4g, if not given");
    static readonly Option<long?> _hostMemory = Flag.Size("--host-memory", "Memory of caches set aside; an eighth of the machine's, up to 4g, if not given");
    static readonly Option<long?> _spillLimit = Flag.Size("--spill-limit", "Most bytes of caches on disk, the oldest go first; 16g if not given");
    static readonly Option<string?> _kvType = Flag.Text("--kv-type", "How keys and values are kept: f32, f16 or bf16", "f16");
    static readonly Option<int> _context = Flag.Number("--context", "Most tokens of a conversation; 0 takes the model's", 0);
    static readonly Option<int> _maxBatchTokens = Flag.Number("--max-batch-tokens", "Tokens of one step", 512);
    static readonly Option<string?> _apiKeyFile = Flag.Text("--api-key-file", "Lines of: key tenant scopes");
    static readonly Option<bool> _anonymous = Flag.Switch("--allow-anonymous", "Serve other machines without keys");
    static readonly Option<string?> _allowedHosts = Flag.Text("--allowed-hosts", "Accepted Host headers, separated by ;");
    static readonly Option<string?> _corsOrigins = Flag.Text("--cors-origins", "Web pages that may call the API, separated by ;");
    static readonly Option<string?> _logLevel = Flag.Text("--log-level", "debug, information, warning or error", "warning");

    public static Command Create()
    {
        var command = new Command("serve", "Serve a model on this machine.\n\nExample: hearth serve --model ./llama --kv-memory 4g")
        {
            _model, _urls, _data, _threads, _kvMemory, _hostMemory, _spillLimit, _kvType, _context, _maxBatchTokens,
            _apiKeyFile, _anonymous, _allowedHosts, _corsOrigins, _logLevel,
        };
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
        await StartAsync(gateway, arguments.GetValue(_urls)!, cancellationToken);
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
        var model = (arguments.GetValue(_model) ?? Path.Combine(AppContext.BaseDirectory, "models", "demo")).Split('=', 2);
        var options = new SiloOptions
        {
            ModelDirectory = model[0],
            ModelName = model.Length > 1 ? model[1] : null,
            DataDirectory = arguments.GetValue(_data)!,
            Threads = arguments.GetValue(_threads),
            KvType = arguments.GetValue(_kvType)!,
            ContextLength = arguments.GetValue(_context) is > 0 and var context ? context : null,
            MaxBatchTokens = arguments.GetValue(_maxBatchTokens),
        };
        return options with
        {
            KvMemoryBytes = arguments.GetValue(_kvMemory) ?? options.KvMemoryBytes,
            HostMemoryBytes = arguments.GetValue(_hostMemory) ?? options.HostMemoryBytes,
            SpillBytesMax = arguments.GetValue(_spillLimit) ?? options.SpillBytesMax,
        };
    }

    static WebApplication Gateway(ParseResult arguments, ICluster cluster)
    {
        var options = new GatewayOptions
        {
            Urls = List(arguments.GetValue(_urls)),
            ApiKeyFile = arguments.GetValue(_apiKeyFile),
            AllowAnonymous = arguments.GetValue(_anonymous),
            AllowedHosts = List(arguments.GetValue(_allowedHosts)),
            CorsOrigins = List(arguments.GetValue(_corsOrigins)),
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
            throw new CliException($"Cannot listen on {urls}: {error.Message} Choose another address with --urls.", ExitCodes.Temporary);
        }
    }

    static string ReadyLine(ICluster cluster, WebApplication gateway, TimeSpan took)
    {
        var model = cluster.Models[0];
        var load = cluster.Status.Load;
        return string.Create(CultureInfo.InvariantCulture,
            $"Ready in {took.TotalSeconds:0.0} s at {gateway.Urls.First()}: model {model.Name} ({model.Family}, {model.Parameters / 1e6:0.#}M " +
            $"parameters, context {model.ContextLength}), caches of {load.BlocksTotal * load.BlockTokens} tokens. " +
            $"Try: hearth chat, or open the address in a browser.");
    }

    static void Logging(ILoggingBuilder builder, ParseResult arguments)
    {
        var text = arguments.GetValue(_logLevel)!;
        if (!Enum.TryParse(text, ignoreCase: true, out LogLevel level))
            throw new CliException($"--log-level: '{text}' is none; use debug, information, warning or error.", ExitCodes.Usage);
        builder.SetMinimumLevel(level);
        builder.AddSimpleConsole(console => (console.SingleLine, console.TimestampFormat) = (true, "HH:mm:ss "));
        builder.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
    }

    static string DefaultData()
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        return home.Length > 0 ? Path.Combine(home, "hearth") : "hearth-data";
    }

    static string[] List(string? text) =>
        text?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
}
