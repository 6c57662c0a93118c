using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Hearth.Gateway;

namespace Hearth.Cluster.Bench;

/// <summary>Usage: streams REDIS [streams] [ms between tokens] [seconds]. A gateway with many open streams, its silo and its
/// clients in processes of their own: memory and processor time per stream, and how late tokens come.</summary>
static class StreamsBench
{
    static readonly TimeSpan s_settle = TimeSpan.FromSeconds(5);

    public static Task RunAsync(string[] args) => args switch
    {
        ["silo", var redis, var pace] => SiloAsync(redis, Number(pace)),
        ["clients", var port, var streams, var pace, var seconds] => ClientsAsync(Number(port), Number(streams), Number(pace), Number(seconds)),
        [var redis, .. var rest] => GatewayAsync(redis, rest.Length > 0 ? Number(rest[0]) : 5000, rest.Length > 1 ? Number(rest[1]) : 500,
            rest.Length > 2 ? Number(rest[2]) : 10),
        _ => throw new ArgumentException("Name the redis-server, such as 127.0.0.1:6379."),
    };

    static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    static async Task GatewayAsync(string redis, int streams, int pace, int seconds)
    {
        using var silo = BenchProcess.Start("streams", "silo", redis, $"{pace}");
        await silo.StandardOutput.ReadLineAsync();
        await using var way = await BenchGateway.StartAsync(redis, 1);
        var options = new GatewayOptions
        {
            Urls = ["http://127.0.0.1:0"],
            TurnsMax = streams,
            TurnsPerTenantMax = streams,
            ConnectionsMax = streams + 100,
            DrainTimeout = TimeSpan.Zero,
        };
        await using var app = GatewayHost.Build(options, way.Cluster);
        await app.StartAsync();
        while (!way.Cluster.Status.Ready)
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, default);

        using (var warm = BenchProcess.Start("streams", "clients", $"{new Uri(app.Urls.First()).Port}", "50", $"{pace}", "2"))
            await warm.WaitForExitAsync();
        var idle = BenchProcess.Memory();
        using var clients = BenchProcess.Start("streams", "clients", $"{new Uri(app.Urls.First()).Port}", $"{streams}", $"{pace}", $"{seconds}");
        await clients.StandardOutput.ReadLineAsync(); // all are open
        await Task.Delay(s_settle, TimeProvider.System, default);
        var (allocated, cpu, start) = (GC.GetTotalAllocatedBytes(), Environment.CpuUsage.TotalTime, Stopwatch.GetTimestamp());
        await Task.Delay(TimeSpan.FromSeconds(seconds / 2), TimeProvider.System, default);
        var wall = Stopwatch.GetElapsedTime(start).TotalSeconds;
        var events = streams * wall * 1000 / pace;
        var spent = (Environment.CpuUsage.TotalTime - cpu).TotalSeconds;
        var bytes = GC.GetTotalAllocatedBytes() - allocated;
        var busy = BenchProcess.Memory();
        Console.WriteLine($"{streams} streams, a token every {pace} ms: {busy.Resident >> 20} MiB resident of which {idle.Resident >> 20} without "
            + $"streams, {(busy.Resident - idle.Resident) / streams / 1024.0:F1} KiB per stream; live heap {(busy.Live - idle.Live) / streams / 1024.0:F1} KiB per stream");
        Console.WriteLine($"  gateway: {spent / wall:F2} cores, {spent * 1e6 / events:F1} us and {bytes / events:F0} bytes allocated per token");
        Console.WriteLine(await clients.StandardOutput.ReadToEndAsync());
        await clients.WaitForExitAsync();
        silo.Kill();
    }

    static async Task SiloAsync(string redis, int pace)
    {
        await using var store = await BenchGateway.StoreAsync(redis);
        await using var silo = await CannedSilo.StartAsync(
            store.Membership, "streams", null, 100_000, TimeSpan.FromMilliseconds(pace));
        Console.WriteLine("ready");
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, default);
    }

    static async Task ClientsAsync(int port, int streams, int pace, int seconds)
    {
        using var stop = new CancellationTokenSource();
        var open = new CountdownEvent(streams);
        var lateness = new List<double>[streams];
        var all = new List<Task>();
        for (var i = 0; i < streams; i++)
        {
            all.Add(ReadAsync(port, i, pace, lateness[i] = [], open, stop.Token));
            if (i % 50 == 49)
                await Task.Delay(TimeSpan.FromMilliseconds(40), TimeProvider.System, default);
        }
        open.Wait(TimeSpan.FromSeconds(60));
        Console.WriteLine("open");
        await Task.Delay(s_settle, TimeProvider.System, default);
        foreach (var list in lateness)
        {
            lock (list)
                list.Clear();
        }
        await Task.Delay(TimeSpan.FromSeconds(seconds), TimeProvider.System, default);
        await stop.CancelAsync();
        await Task.WhenAll(all);
        var sorted = lateness.SelectMany(l => l).Order().ToArray();
        Console.WriteLine($"  clients: {streams - open.CurrentCount} of {streams} streams open, {sorted.Length / (double)seconds:F0} tokens/s, "
            + $"between tokens p50 {sorted[sorted.Length / 2]:F0} ms, p99 {sorted[sorted.Length * 99 / 100]:F0} ms");
    }

    static async Task ReadAsync(int port, int number, int pace, List<double> between, CountdownEvent open, CancellationToken stop)
    {
        const string Body = """{"model":"canned","stream":true,"conversation":"CONV","messages":[{"role":"user","content":"Hi"}]}""";
        var body = Body.Replace("CONV", $"stream_{pace}_{number}", StringComparison.Ordinal);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port, stop);
            await socket.SendAsync(Encoding.ASCII.GetBytes(
                $"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}"),
                stop);
            var buffer = new byte[4096];
            var (first, last) = (true, 0L);
            while (await socket.ReceiveAsync(buffer, stop) is > 0 and var read)
            {
                if (buffer.AsSpan(0, read).IndexOf("\"content\":\" word"u8) < 0)
                    continue;
                if (first)
                    open.Signal();
                first = false;
                var now = Stopwatch.GetTimestamp();
                lock (between)
                {
                    if (last > 0)
                        between.Add(Stopwatch.GetElapsedTime(last, now).TotalMilliseconds);
                }
                last = now;
            }
        }
        catch (OperationCanceledException)
        {
        }
    }
}
