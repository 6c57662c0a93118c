using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text;
using Hearth.Contracts;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Hearth.Gateway.Tests;

/// <summary>Clients that go away, that do not read, and too many of them.</summary>
public sealed class LoadTests
{
    static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(GatewayServer.Hello, true)]
    [InlineData(GatewayServer.Hello, false)]
    [InlineData(GatewayServer.HelloStream, true)]
    [InlineData(GatewayServer.HelloStream, false)]
    public async Task AClientThatGoesAwayCancelsItsTurn(string body, bool started)
    {
        await using var server = await GatewayServer.StartAsync();
        server.Cluster.Play = (_, stop) =>
            ScriptedCluster.Hanging(started ? [ScriptedCluster.Started(), new TurnDelta { Text = "a" }] : [], stop);
        using var client = await ConnectAsync(server, body);
        await server.Cluster.EnteredAsync(Stop);
        Assert.False(server.Cluster.Left.IsCompleted);
        client.Close();
        await server.Cluster.Left.WaitAsync(Stop);

        server.Cluster.Play = (_, _) => ScriptedCluster.Events(ScriptedCluster.Reply("next"));
        using var next = await server.ChatAsync(GatewayServer.Hello);
        Assert.Equal(200, (int)next.StatusCode);
    }

    [Fact]
    public async Task AClientThatNeverReadsIsDroppedAndDisturbsNobody()
    {
        var options = new GatewayOptions { WriteTimeout = TimeSpan.FromMilliseconds(300) };
        using var log = new LineLogger();
        var server = await GatewayServer.StartAsync(options: options, logging: l => l.AddProvider(log));
        server.Cluster.Play = (turn, stop) => turn.Generation.MaxTokens == 1
            ? Flood(stop)
            : ScriptedCluster.Events(ScriptedCluster.Reply("a"));
        using var client = await ConnectAsync(server,
            """{"model":"demo","stream":true,"max_tokens":1,"messages":[{"role":"user","content":"Hi"}]}""");
        await server.Cluster.EnteredAsync(Stop);
        using (var other = await server.ChatAsync(GatewayServer.HelloStream))
        {
            Assert.EndsWith("data: [DONE]\n\n", await other.TextAsync(), StringComparison.Ordinal);
        }
        await server.Cluster.Left.WaitAsync(Stop);
        await server.DisposeAsync();
        Assert.Contains(log.Lines, line => line.EndsWith("the client took nothing for 0.3 s and was dropped",
            StringComparison.Ordinal));

        static async IAsyncEnumerable<TurnEvent> Flood([EnumeratorCancellation] CancellationToken stop)
        {
            yield return ScriptedCluster.Started();
            var text = new TurnDelta { Text = new string('x', 64 * 1024) };
            while (!stop.IsCancellationRequested)
            {
                await Task.Yield();
                yield return text;
            }
        }
    }

    [Fact]
    public async Task TurnsOverTheLimitAreRefusedAtOnce()
    {
        await using var server = await GatewayServer.StartAsync(options: new GatewayOptions { TurnsMax = 2 });
        await CheckRefusalAsync(server, 2, (503, "overloaded", null));
    }

    [Fact]
    public async Task TurnsOverTheTenantsLimitAreRefusedAtOnce()
    {
        await using var server = await GatewayServer.StartAsync(options: new GatewayOptions { TurnsPerTenantMax = 2 });
        await CheckRefusalAsync(server, 2, (429, "rate_limit_exceeded", null));
    }

    static async Task CheckRefusalAsync(GatewayServer server, int turns, (int, string?, string?) refusal)
    {
        server.Cluster.Play = (_, stop) => ScriptedCluster.Hanging([ScriptedCluster.Started()], stop);
        var running = new List<TcpClient>();
        for (var i = 0; i < turns; i++)
        {
            running.Add(await ConnectAsync(server, GatewayServer.HelloStream));
            await server.Cluster.EnteredAsync(Stop);
        }
        for (var i = 0; i < 20; i++)
        {
            using var refused = await server.ChatAsync(GatewayServer.Hello);
            Assert.Equal(refusal, await refused.ErrorAsync());
            Assert.Equal("1", refused.Header("Retry-After"));
            Assert.Equal("1000", refused.Header("retry-after-ms"));
        }
        Assert.Equal(turns, server.Cluster.Turns.Count);
        running.ForEach(client => client.Close());
        await server.Cluster.Left.WaitAsync(Stop);
    }

    [Theory]
    [InlineData(false, "model_loading")]
    [InlineData(true, "draining")]
    public async Task AClusterThatIsNotReadyRefusesAtTheDoor(bool started, string code)
    {
        await using var server = await GatewayServer.StartAsync();
        server.Cluster.Status = server.Cluster.Status with { Ready = false, Started = started };
        using var reply = await server.ChatAsync(GatewayServer.Hello);
        Assert.Equal((503, code, null), await reply.ErrorAsync());
        Assert.True(reply.Headers.Contains("Retry-After"));
        Assert.Empty(server.Cluster.Turns);
    }

    [Theory]
    [InlineData("/v1/chat/completions", GatewayServer.Hello)]
    [InlineData("/v1/completions", """{"model":"demo","prompt":"a"}""")]
    [InlineData("/tokenize", """{"model":"demo","prompt":"a"}""")]
    [InlineData("/v1/models/demo", null)]
    public async Task AModelThatIsStillLoadingIsNotCalledUnknown(string path, string? body)
    {
        var loading = new ClusterStatus(false, false, "loading 40 %", 0.4, new EngineLoad());
        await using var server = await GatewayServer.StartAsync(new ScriptedCluster { Models = [], Status = loading });
        using var reply = body is null ? await server.Http.GetAsync(path, Stop) : await server.PostAsync(path, body);
        var (status, code, _) = await reply.ErrorAsync();
        Assert.Equal((503, "model_loading"), (status, code));
        Assert.True(reply.Headers.Contains("Retry-After"));
    }

    [Theory]
    [InlineData("Connection: close\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc")]
    [InlineData("Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2;a\n\r\n{}\r\n0\r\n\r\n")]
    [InlineData("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")]
    public async Task ABodyThatIsFramedWronglyIsTheClientsFault(string rest)
    {
        await using var server = await GatewayServer.StartAsync();
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, server.Url.Port, Stop);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /v1/chat/completions HTTP/1.1\r\nHost: {server.Url.Authority}\r\nContent-Type: application/json\r\n{rest}"), Stop);
        using var answer = new StreamReader(stream);
        var text = await answer.ReadToEndAsync(Stop);
        Assert.StartsWith("HTTP/1.1 400 ", text, StringComparison.Ordinal);
        Assert.Single(text.Split("HTTP/1.1 ", StringSplitOptions.RemoveEmptyEntries));
    }

    static async Task<TcpClient> ConnectAsync(GatewayServer server, string body)
    {
        var client = new TcpClient { ReceiveBufferSize = 4096 };
        await client.ConnectAsync(IPAddress.Loopback, server.Url.Port, Stop);
        await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes(
            $"POST /v1/chat/completions HTTP/1.1\r\nHost: {server.Url.Authority}\r\nContent-Type: application/json\r\n"
            + $"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}"), Stop);
        return client;
    }
}
