using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Cluster.Tests;

/// <summary>INV-27: streams that wait for their turn hold, and cost little.</summary>
public sealed class IdleStreamsTests
{
    static readonly int s_streams = LongForm.Runs ? 10_000 : 500;
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ManyStreamsThatWaitHoldAndDisturbNobody()
    {
        // All wait for the one silo of their model, which has room for two or three; the chat beside them is with another's.
        await SharedCluster.OnItsOwnAsync(new RigOptions { Silos = 0, Gateways = 0, SiloFlags = ["--threads", "1"] }, async rig =>
        {
            await rig.AddSiloAsync(Cancellation, "crowded", "--kv-memory", "1m", "--host-memory", "1m", "--max-queue", "20000");
            var demo = Path.Combine(Path.GetDirectoryName(HearthNode.Program)!, "models", "demo");
            await rig.AddSiloAsync(Cancellation, "free", "--kv-memory", "16m", "--host-memory", "1m", "--model", demo + "=free");
            var gateway = await rig.ReadyAsync(rig.LaunchGateway(
                flags: ["--max-turns", "20000", "--max-turns-per-tenant", "20000", "--max-connections", "20000"]), Cancellation);
            await rig.UntilSilosAsync(silos => silos.Count(s => s.Status == "active") == 2, Cancellation);
            await RunAsync(rig.Client(gateway), gateway.Pid);
        });
    }

    static async Task RunAsync(GatewayClient gateway, int pid)
    {
        var quiet = await ChatsAsync(gateway);
        var before = Resident(pid);
        var streams = new List<WaitingStream>();
        var reading = new List<Task>();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        for (var i = 0; i < s_streams; i++)
        {
            var stream = new WaitingStream();
            streams.Add(stream);
            reading.Add(stream.ReadAsync(gateway.Url, Turns.Seeded($"waiting-{i}", 300), stop.Token));
            if (i % 50 == 49)
                await Task.Delay(TimeSpan.FromMilliseconds(40), TimeProvider.System, Cancellation);
        }
        await ClusterRig.UntilAsync(async () => await InSiloAsync(gateway) + streams.Count(s => s.HasEnded) >= s_streams,
            "every stream's turn in its silo", Cancellation, seconds: LongForm.Runs ? 300 : 60);
        if (LongForm.Runs)
            await Task.Delay(TimeSpan.FromMinutes(3), TimeProvider.System, Cancellation);
        var (resident, inSilo) = (Resident(pid), await InSiloAsync(gateway));
        var beside = await ChatsAsync(gateway);
        TestContext.Current.TestOutputHelper!.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{s_streams} streams: {inSilo} wait or run, {streams.Count(s => s.HasEnded)} are done; gateway {resident >> 10} MiB resident, "
            + $"{(resident - before) / (double)s_streams:F1} KiB more per stream; a chat beside them took {beside.TotalMilliseconds:F0} ms, "
            + $"{quiet.TotalMilliseconds:F0} before"));
        Assert.All(streams, s => Assert.True(!s.HasEnded || s.Text.Contains("data: [DONE]", StringComparison.Ordinal), s.Text));
        Assert.True(streams.Count(s => s.HasEnded) < s_streams / 2, "few streams were left to wait");
        Assert.True(!LongForm.Runs || streams.TrueForAll(s => s.HasEnded || s.Text.Contains(": ping", StringComparison.Ordinal)),
            "a stream that waited heard nothing");
        Assert.True(resident - before < 100 * s_streams, $"{resident - before} KiB for {s_streams} streams");
        await stop.CancelAsync();
        await Task.WhenAll(reading);
    }

    /// <summary>Turns that the crowded silo runs or will run.</summary>
    static async Task<int> InSiloAsync(GatewayClient gateway)
    {
        var silos = (await gateway.GetAsync("admin/cluster", Cancellation))["silos"]!.AsArray();
        var crowded = silos.Single(s => s!["id"]!.GetValue<string>().StartsWith("crowded/", StringComparison.Ordinal))!;
        return crowded["running"]!.GetValue<int>() + crowded["waiting"]!.GetValue<int>();
    }

    /// <summary>The median of some chats.</summary>
    static async Task<TimeSpan> ChatsAsync(GatewayClient gateway)
    {
        var took = new List<TimeSpan>();
        for (var i = 0; i < 9; i++)
        {
            var clock = Stopwatch.StartNew();
            var turn = Turns.Brief("beside", $"Please count to {i + 2}.", tokens: 8);
            turn["model"] = "free";
            await gateway.ChatAsync(turn, Cancellation);
            took.Add(clock.Elapsed);
        }
        return took.Order().ElementAt(took.Count / 2);
    }

    /// <returns>KiB.</returns>
    static long Resident(int pid)
    {
        var line = File.ReadLines($"/proc/{pid}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }
}

/// <summary>A stream on a bare socket: ten thousand of them are to cost the test little.</summary>
sealed class WaitingStream
{
    const int TextKept = 256;

    /// <summary>The end of what came.</summary>
    public string Text { get; private set; } = "";
    public bool HasEnded { get; private set; }

    public async Task ReadAsync(Uri url, JsonObject turn, CancellationToken stop)
    {
        turn["stream"] = true;
        var body = turn.ToJsonString();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(url.Host, url.Port, stop);
            await socket.SendAsync(Encoding.UTF8.GetBytes($"POST /v1/chat/completions HTTP/1.1\r\nHost: {url.Authority}\r\n"
                + $"Content-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\nConnection: close\r\n\r\n{body}"), stop);
            var buffer = new byte[1024];
            while (await socket.ReceiveAsync(buffer, stop) is > 0 and var read)
                Take(Encoding.UTF8.GetString(buffer, 0, read));
        }
        catch (SocketException e)
        {
            Take(e.Message);
        }
        catch (OperationCanceledException)
        {
            return;
        }
        HasEnded = true;
    }

    void Take(string text)
    {
        var all = (Text + text).TrimEnd('\r', '\n');
        Text = all.Length <= TextKept ? all : all[^TextKept..];
    }
}
