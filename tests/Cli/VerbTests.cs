using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using Xunit;

namespace Hearth.Cli.Tests;

public sealed class VerbTests : IDisposable
{
    readonly ScratchFolder _data = new();

    public void Dispose() => _data.Dispose();

    [Fact]
    public async Task ChatTalksToAServer()
    {
        await using var server = await HearthProcess.ServeAsync(_data.Path);
        var (exitCode, output) = await HearthProcess.RunAsync(
            ["chat", "--url", server.Url.ToString(), "--temperature", "0"], "Hello! My name is Ada.\nWhat is my name?\n/quit\n");
        Assert.Equal(0, exitCode);
        Assert.Contains("Ada", output, StringComparison.Ordinal);
        Assert.Contains("cache hit", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task BenchMeasuresColdWarmAndResumedTurns()
    {
        await using var server = await HearthProcess.ServeAsync(_data.Path);
        var json = Path.Combine(_data.Path, "bench.json");
        var (exitCode, output) = await HearthProcess.RunAsync(
        [
            "bench", "--url", server.Url.ToString(), "--history", "0,100", "--concurrency", "1,2", "--max-tokens", "8",
            "--repeat", "1", "--json", json,
        ]);
        Assert.True(exitCode == 0, output);
        Assert.Contains("resumed", output, StringComparison.Ordinal);
        Assert.Contains("\"first_token_ms\"", await File.ReadAllTextAsync(json, TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ModelInspectDescribesACheckpoint()
    {
        var (exitCode, output) = await HearthProcess.RunAsync(["model", "inspect", HearthProcess.DemoModel]);
        Assert.True(exitCode == 0, output);
        Assert.Contains("llama", output, StringComparison.Ordinal);
        Assert.Contains("model.embed_tokens.weight", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheOperatorsVerbsWorkWithOneServerToo()
    {
        await using var server = await HearthProcess.ServeAsync(_data.Path);
        var chat = new { model = "demo", conversation = "one", messages = new[] { new { role = "user", content = "Hello!" } } };
        await server.ChatAsync(chat);
        var (code, silos) = await HearthProcess.RunAsync(["silo", "ls", "--url", server.Url.ToString()]);
        Assert.True(code == 0 && silos.Contains("local", StringComparison.Ordinal), silos);
        (code, var conversations) = await HearthProcess.RunAsync(["conv", "ls", "--url", server.Url.ToString()]);
        Assert.True(code == 0 && conversations.Contains("one", StringComparison.Ordinal), conversations);
        (code, var refused) = await HearthProcess.RunAsync(["silo", "drain", "local", "--url", server.Url.ToString()]);
        Assert.True(code == 1 && refused.Contains("no other silo", StringComparison.Ordinal), refused);
    }

    [Fact]
    public async Task ServeStopsCleanlyOnTerm()
    {
        await using var server = await HearthProcess.ServeAsync(_data.Path);
        Assert.Equal(0, await server.StopAsync());
    }

    [Fact]
    public async Task ATurnThatRunsWhenTermComesIsFinishedFirst()
    {
        await using var server = await HearthProcess.ServeAsync(_data.Path);
        // Long enough to outlast what a runtime gives a process that was told to end.
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/chat/completions")
        {
            Content = JsonContent.Create(new
            {
                model = "demo",
                stream = true,
                max_tokens = 3500,
                ignore_eos = true,
                messages = new[] { new { role = "user", content = "Hello!" } },
            }),
        };
        using var reply = await server.Http.SendAsync(
            request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        var stopped = server.StopAsync();
        Assert.EndsWith(
            "data: [DONE]\n\n", await reply.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal(0, await stopped);
    }

    [Theory]
    [InlineData(2, "serve", "--kv-memory", "much")]
    [InlineData(2, "serve", "--no-such-flag")]
    [InlineData(70, "serve", "--model", "/no/such/model")]
    [InlineData(70, "model", "inspect", "/no/such/model")]
    [InlineData(75, "chat", "--url", "http://127.0.0.1:9")]
    [InlineData(2, "chat", "--url", "nowhere")]
    [InlineData(75, "conv", "ls", "--url", "http://127.0.0.1:9")]
    [InlineData(2, "silo")]
    [InlineData(2, "silo", "--redis", "127.0.0.1:9", "--lease", "soon")]
    [InlineData(75, "silo", "--redis", "127.0.0.1:9")]
    [InlineData(75, "gateway", "--redis", "127.0.0.1:9")]
    public async Task AMistakeGetsItsExitCodeAndOneSentence(int expected, params string[] arguments)
    {
        if (arguments[0] == "serve")
            arguments = [.. arguments, "--data", _data.Path, "--urls", "http://127.0.0.1:0"];
        var (exitCode, output) = await HearthProcess.RunAsync(arguments);
        Assert.True(exitCode == expected, $"{exitCode}: {output}");
        Assert.NotEqual("", output);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task APortInUseIsSaid()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var url = $"http://127.0.0.1:{((IPEndPoint)taken.LocalEndpoint).Port}";
        var (exitCode, output) = await HearthProcess.RunAsync(["serve", "--urls", url, "--data", _data.Path]);
        Assert.True(exitCode == 75, output);
        Assert.Contains(url, output, StringComparison.Ordinal);
    }
}
