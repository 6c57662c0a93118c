using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Hearth.Gateway;

namespace Hearth.Cluster.Bench;

/// <summary>Usage: idle REDIS [streams] [seconds]. Streams whose turns wait so long for their first event, then are answered:
/// what each takes of the gateway, whether all end well, and what a chat beside them feels. Gateway, silos and clients are
/// processes of their own.</summary>
static class IdleBench
{
    const string Waiting = "waiting";
    const int Chats = 200;

    public static Task RunAsync(string[] args) => args switch
    {
        ["silos", var redis, var seconds] => SilosAsync(redis, Number(seconds)),
        ["clients", var port, var streams, var seconds] => ClientsAsync(Number(port), Number(streams), Number(seconds)),
        [var redis, .. var rest] => GatewayAsync(
            redis, rest.Length > 0 ? Number(rest[0]) : 10_000, rest.Length > 1 ? Number(rest[1]) : 240),
        _ => throw new ArgumentException("Name the redis-server, such as 127.0.0.1:6379."),
    };

    static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    static async Task GatewayAsync(string redis, int streams, int seconds)
    {
        using var silos = BenchProcess.Start("idle", "silos", redis, $"{seconds}");
        await silos.StandardOutput.ReadLineAsync();
        await using var way = await BenchGateway.StartAsync(redis, 1);
        await using var app = GatewayHost.Build(new GatewayOptions
        {
            Urls = ["http://127.0.0.1:0"],
            TurnsMax = streams + 100,
            TurnsPerTenantMax = streams + 100,
            ConnectionsMax = streams + 100,
            DrainTimeout = TimeSpan.Zero,
        }, way.Cluster);
        await app.StartAsync();
        while (way.Cluster.Models.Count < 2 || !way.Cluster.Status.Ready)
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, default);
        using var clients = BenchProcess.Start("idle", "clients", $"{new Uri(app.Urls.First()).Port}", $"{streams}", $"{seconds}");
        for (var before = (Resident: 0L, Live: 0L); await clients.StandardOutput.ReadLineAsync() is { } line;)
        {
            if (line == "begin")
                before = BenchProcess.Memory();
            else if (line == "open")
                Tell(streams, before, BenchProcess.Memory());
            else
                Console.WriteLine(line);
        }
        await clients.WaitForExitAsync();
        silos.Kill();
    }

    static void Tell(int streams, (long Resident, long Live) before, (long Resident, long Live) now) => Console.WriteLine(
        $"{streams} streams wait: gateway {now.Resident >> 20} MiB resident of which {before.Resident >> 20} without streams, "
        + $"{(now.Resident - before.Resident) / 1024.0 / streams:F1} KiB per stream; live heap {(now.Live - before.Live) / 1024.0 / streams:F1} KiB");

    static async Task SilosAsync(string redis, int seconds)
    {
        await using var store = await BenchGateway.StoreAsync(redis);
        await using var crowded = await CannedSilo.StartAsync(
            store.Membership, "crowded", null, 16, TimeSpan.Zero, TimeSpan.FromSeconds(seconds), Waiting);
        await using var free = await CannedSilo.StartAsync(store.Membership, "free", null, 16, TimeSpan.Zero);
        Console.WriteLine("ready");
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, default);
    }

    static async Task ClientsAsync(int port, int streams, int seconds)
    {
        var clock = Stopwatch.StartNew();
        await ChatAsync(port, "warm");
        var quiet = await ChatAsync(port, "quiet");
        Console.WriteLine("begin");
        var all = new IdleStream[streams];
        var reading = new Task[streams];
        for (var i = 0; i < streams; i++)
        {
            all[i] = new IdleStream();
            reading[i] = all[i].ReadAsync(port, Waiting, $"idle-{clock.ElapsedTicks}-{i}");
            if (i % 50 == 49)
                await Task.Delay(TimeSpan.FromMilliseconds(40), TimeProvider.System, default);
        }
        // Each has had a comment when the turns have waited for the first half of their time, if that is longer than 15 s.
        await Task.Delay(TimeSpan.FromSeconds(seconds) / 2, TimeProvider.System, default);
        Console.WriteLine("open");
        Console.WriteLine($"  a chat beside them: {await ChatAsync(port, "beside")}; before them: {quiet}");
        await Task.WhenAll(reading);
        Console.WriteLine($"  {all.Count(s => s.IsComplete)} of {streams} answered whole, {all.Count(s => s.Pings == 0)} never heard a comment, "
            + $"{all.Sum(s => s.Pings)} comments; waited {all.Min(s => s.Waited).TotalSeconds:F1} to {all.Max(s => s.Waited).TotalSeconds:F1} s");
        foreach (var fault in all.Where(s => !s.IsComplete).GroupBy(s => s.Fault).Take(5))
            Console.WriteLine($"  {fault.Count()} x {fault.Key}");
    }

    /// <summary>Chats with the other silo, one after the other.</summary>
    static async Task<string> ChatAsync(int port, string hint)
    {
        var took = new List<double>();
        for (var i = 0; i < Chats; i++)
        {
            var stream = new IdleStream();
            await stream.ReadAsync(port, CannedSilo.Model, $"{hint}-{i % 10}");
            took.Add(stream.Waited.TotalMilliseconds);
        }
        took.Sort();
        return string.Create(CultureInfo.InvariantCulture, $"p50 {took[took.Count / 2]:F1} ms, p99 {took[took.Count * 99 / 100]:F1} ms");
    }
}

/// <summary>A stream on a bare socket.</summary>
sealed class IdleStream
{
    const int TextKept = 160;
    string _end = "";

    public int Pings { get; private set; }
    public TimeSpan Waited { get; private set; }
    public bool IsComplete => Fault is null;
    public string? Fault { get; private set; } = "not read";

    public async Task ReadAsync(int port, string model, string conversation)
    {
        var body = $$"""{"model":"{{model}}","stream":true,"conversation":"{{conversation}}","messages":[{"role":"user","content":"Hi"}]}""";
        var begun = Stopwatch.GetTimestamp();
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Loopback, port);
            await socket.SendAsync(Encoding.ASCII.GetBytes("POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                + $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
            var buffer = new byte[2048];
            while (await socket.ReceiveAsync(buffer) is > 0 and var read)
                Take(Encoding.UTF8.GetString(buffer, 0, read));
            Fault = _end.Contains("data: [DONE]", StringComparison.Ordinal) ? null : _end;
        }
        catch (SocketException e)
        {
            Fault = e.Message;
        }
        Waited = Stopwatch.GetElapsedTime(begun);
    }

    void Take(string text)
    {
        Pings += text.AsSpan().Count(": ping");
        var all = _end + text;
        _end = all.Length <= TextKept ? all : all[^TextKept..];
    }
}
