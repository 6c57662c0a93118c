using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Cluster.Tests;

/// <summary><c>hearth dev</c> and the operator's verbs, as a person uses them.</summary>
public sealed class DevTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ACommandStartsAClusterThatVerbsShowAndASignalDrains()
    {
        var port = FreePorts();
        var grpcPort = FreePorts();
        await using var dev = await StartAsync(port, silos: 2, grpcPort);
        using var first = new GatewayClient($"http://127.0.0.1:{port}");
        using var second = new GatewayClient($"http://127.0.0.1:{port + 1}");
        await first.ChatAsync(Turns.Brief("dev", Turns.Opening), Cancellation);
        var reply = await second.ChatAsync(Turns.Brief("dev", "What is my name?"), Cancellation);
        Assert.Contains("Zed", reply.Text, StringComparison.Ordinal);
        Assert.Contains($"gRPC at http://127.0.0.1:{grpcPort} and http://127.0.0.1:{grpcPort + 1}", dev.Output, StringComparison.Ordinal);
        Assert.Equal(1, await GrpcHealthAsync(grpcPort + 1));

        Assert.Contains("silo-1/", await VerbAsync(port, "silo", "ls"), StringComparison.Ordinal);
        Assert.Contains("dev", await VerbAsync(port, "conv", "ls"), StringComparison.Ordinal);
        var there = JsonNode.Parse(await VerbAsync(port, "conv", "show", "dev", "--json"))!["silo"]!.GetValue<string>();
        var target = there.StartsWith("silo-0/", StringComparison.Ordinal) ? "silo-1" : "silo-0";
        Assert.Contains(target, await VerbAsync(port, "conv", "migrate", "dev", "--to", target), StringComparison.Ordinal);
        await VerbAsync(port, "conv", "spill", "dev");
        await VerbAsync(port, "conv", "rm", "dev");
        Assert.Null(await first.DescribeAsync("dev", Cancellation));

        dev.Terminate();
        Assert.Equal(0, await dev.EndAsync(TimeSpan.FromSeconds(60), Cancellation));
    }

    [Fact]
    public async Task AKilledSiloIsStartedAgainAndNoChildOutlivesItsParent()
    {
        var port = FreePorts();
        await using var dev = await StartAsync(port, silos: 1, FreePorts());
        using var gateway = new GatewayClient($"http://127.0.0.1:{port}");
        // Never 0, which would name everybody here: this very run too.
        var before = 0;
        await ClusterRig.UntilAsync(async () => (before = await PidAsync(gateway)) > 0, "a silo", Cancellation);
        Process.GetProcessById(before).Kill();
        var after = before;
        await ClusterRig.UntilAsync(async () => (after = await PidAsync(gateway)) != before && after > 0, "another silo", Cancellation);
        var silo = Process.GetProcessById(after);
        dev.Kill();
        await silo.WaitForExitAsync(Cancellation).WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        await ClusterRig.UntilAsync(async () =>
        {
            try
            {
                await gateway.GetAsync("health/live", Cancellation);
                return false;
            }
            catch (HttpRequestException)
            {
                return true;
            }
        }, "the gateway's end", Cancellation);
    }

    static async Task<int> PidAsync(GatewayClient gateway)
    {
        var silos = (await gateway.GetAsync("admin/cluster", Cancellation))["silos"]!.AsArray();
        return silos.FirstOrDefault(s => s!["status"]!.GetValue<string>() == "active")?["pid"]!.GetValue<int>() ?? 0;
    }

    /// <returns>The serving status.</returns>
    static async Task<int> GrpcHealthAsync(int port)
    {
        using var http = new HttpClient { DefaultRequestVersion = new Version(2, 0), DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var nothing = new ByteArrayContent(new byte[5]);
        nothing.Headers.ContentType = new("application/grpc");
        using var answer = await http.PostAsync($"http://127.0.0.1:{port}/grpc.health.v1.Health/Check", nothing, Cancellation);
        var bytes = await answer.Content.ReadAsByteArrayAsync(Cancellation);
        Assert.Equal((0, 2, 8), (bytes[0], bytes[4], bytes[5])); // not compressed, two bytes, field 1
        return bytes[6];
    }

    static async Task<HearthNode> StartAsync(int port, int silos, int grpcPort)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/redis-server"), "redis-server is not installed");
        var dev = HearthNode.Start("dev",
        [
            "dev", "--silos", $"{silos}", "--gateways", "2", "--port", $"{port}", "--grpc-port", $"{grpcPort}",
            "--kv-memory", "32m", "--threads", "1",
        ]);
        await dev.WroteAsync("\nReady: ", Cancellation);
        return dev;
    }

    static async Task<string> VerbAsync(int port, params string[] arguments)
    {
        await using var verb = HearthNode.Start("verb", [.. arguments, "--url", $"http://127.0.0.1:{port}"]);
        var code = await verb.EndAsync(TimeSpan.FromSeconds(30), Cancellation);
        Assert.True(code == 0, verb.Output);
        return verb.Output;
    }

    /// <summary>Two ports that follow each other.</summary>
    static int FreePorts()
    {
        while (true)
        {
            using var first = new TcpListener(IPAddress.Loopback, 0);
            first.Start();
            var port = ((IPEndPoint)first.LocalEndpoint).Port;
            try
            {
                using var second = new TcpListener(IPAddress.Loopback, port + 1);
                second.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken: others follow each other too.
            }
        }
    }
}
