using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Hearth.Cli.Admin;

namespace Hearth.Cli.Top;

/// <summary><c>hearth top</c>: what a cluster does now, on one screen.</summary>
static class TopCommand
{
    static readonly TimeSpan _shortest = TimeSpan.FromMilliseconds(200);

    static readonly Option<string?> _urls =
        Flag.Text("--url", "The cluster's gateways, separated by ;: each shows its own figures, the first the silos",
            "http://127.0.0.1:8080");

    static readonly Option<TimeSpan> _interval =
        Flag.Duration("--interval", "Time between two looks", TimeSpan.FromSeconds(1));

    static readonly Option<bool> _once = new("--once") { Description = "Look twice, write one frame, and end" };
    static readonly Option<bool> _json = new("--json") { Description = "Write each frame as a line of JSON" };

    public static Command Create()
    {
        var command = new Command("top",
            "Watch a cluster: silos, caches, moves, gateways. q ends it, s sorts.\n\n" +
            "Example: hearth top --url \"http://127.0.0.1:8080;http://127.0.0.1:8081\"")
        {
            _urls, AdminClient.ApiKey, _interval, _once, _json,
        };
        command.SetAction(RunAsync);
        return command;
    }

    static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var interval = arguments.GetValue(_interval);
        if (interval < _shortest)
            throw new CliException($"--interval: choose {_shortest.TotalMilliseconds:0}ms or more.", ExitCodes.Usage);
        var urls = Flag.List(arguments.GetValue(_urls));
        if (urls.Length == 0)
            throw new CliException("--url: name a gateway, such as http://127.0.0.1:8080.", ExitCodes.Usage);
        var clients = new List<AdminClient>();
        try
        {
            foreach (var url in urls)
                clients.Add(new AdminClient(url, arguments.GetValue(AdminClient.ApiKey)));
            var reader = new ClusterReader(clients, TimeProvider.System);
            return arguments.GetValue(_once)
                ? await OnceAsync(reader, interval, arguments.GetValue(_json), cancellationToken)
                : await WatchAsync(reader, interval, arguments.GetValue(_json), cancellationToken);
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }
    }

    static async Task<int> OnceAsync(ClusterReader reader, TimeSpan interval, bool json, CancellationToken cancellationToken)
    {
        var history = new TopHistory(TimeProvider.System);
        history.Add(await FirstAsync(reader, cancellationToken));
        await Task.Delay(interval, TimeProvider.System, cancellationToken);
        var report = history.Add(await reader.ReadAsync(cancellationToken));
        using var terminal = new TopTerminal(live: false);
        Show(terminal, report, TopOrder.Name, json);
        return report.Fault is null ? ExitCodes.Success : ExitCodes.Temporary;
    }

    static async Task<int> WatchAsync(ClusterReader reader, TimeSpan interval, bool json, CancellationToken cancellationToken)
    {
        var (history, order, time) = (new TopHistory(TimeProvider.System), TopOrder.Name, TimeProvider.System);
        var report = history.Add(await FirstAsync(reader, cancellationToken));
        using var terminal = new TopTerminal(live: !json);
        while (true)
        {
            Show(terminal, report, order, json);
            var shown = time.GetTimestamp();
            while (interval - time.GetElapsedTime(shown) is { } left && left > TimeSpan.Zero)
            {
                switch (await terminal.KeyAsync(left, time, cancellationToken))
                {
                    case 'q' or 'Q':
                        return ExitCodes.Success;
                    case 's' or 'S':
                        order = Enum.IsDefined(order + 1) ? order + 1 : default;
                        Show(terminal, report, order, json);
                        break;
                }
            }
            report = history.Add(await reader.ReadAsync(cancellationToken));
        }
    }

    /// <summary>Whoever names a gateway that is not there is told so, and not shown an empty screen.</summary>
    static async Task<ClusterSample> FirstAsync(ClusterReader reader, CancellationToken cancellationToken)
    {
        var sample = await reader.ReadAsync(cancellationToken);
        return sample.Fault is null ? sample : throw new CliException(sample.Fault, ExitCodes.Temporary);
    }

    static void Show(TopTerminal terminal, TopReport report, TopOrder order, bool json)
    {
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(report, TopJson.Default.TopReport));
            return;
        }
        terminal.Measure();
        var clock = TimeProvider.System.GetLocalNow().ToString("HH:mm:ss", CultureInfo.InvariantCulture);
        var hint = terminal.HasKeys ? $"q quit   s sort, now by {Name(order)}" : null;
        terminal.Show(new TopScreen(terminal.Width, terminal.Height, terminal.IsFancy).Draw(report, order, clock, hint));
    }

    static string Name(TopOrder order) => order switch
    {
        TopOrder.Running => "running",
        TopOrder.Blocks => "blocks",
        TopOrder.TokensOut => "tokens out",
        _ => "name",
    };
}
