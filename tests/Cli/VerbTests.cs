using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Xunit;

namespace Hearth.Cli.Tests;

public sealed class VerbTests : IDisposable
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

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
    public async Task ModelInspectTellsWhatConversationsCost()
    {
        var (exitCode, output) = await HearthProcess.RunAsync(
            ["model", "inspect", HearthProcess.DemoModel, "--kv-memory", "100m", "--tokens", "1000", "--json"]);
        Assert.True(exitCode == 0, output);
        var exact = JsonNode.Parse(output)!["caches"]!.AsArray().Single(c => c!["type"]!.GetValue<string>() == "f16")!;
        // 5 layers of 4 heads of 32 numbers, keys and values, 2 bytes each; 1000 tokens take 32 blocks of 32.
        Assert.Equal(2560, exact["bytes_per_token"]!.GetValue<int>());
        Assert.Equal((100 << 20) / (2560 * 32) / 32, exact["conversations"]!.GetValue<int>());
        Assert.InRange(exact["redis_bytes"]!.GetValue<long>(), 2_560_000, 3_200_000);
        Assert.InRange(exact["redis_int8_bytes"]!.GetValue<long>(), 1_280_000, 1_800_000);
    }

    [Fact]
    public async Task VersionNamesVersionAndCommit()
    {
        var (exitCode, output) = await HearthProcess.RunAsync(["version"]);
        Assert.True(exitCode == 0, output);
        Assert.Matches(@"^hearth \d+\.\d+\.\d+ \(commit [0-9a-z]+, \.NET 10\.", output);
    }

    [Fact]
    public async Task ModelVerifyCopiesWhatIsRightAndNamesWhatIsNot()
    {
        var (from, to) = (Path.Combine(_data.Path, "from"), Path.Combine(_data.Path, "to"));
        Directory.CreateDirectory(from);
        foreach (var file in Directory.GetFiles(HearthProcess.DemoModel))
            File.Copy(file, Path.Combine(from, Path.GetFileName(file)));
        var sums = Path.Combine(from, "SHA256SUMS");
        await File.WriteAllLinesAsync(sums, Directory.GetFiles(from).Select(file =>
            $"{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)))}  {Path.GetFileName(file)}"), Cancellation);

        var (code, output) = await HearthProcess.RunAsync(["model", "verify", from, "--copy-to", to]);
        Assert.True(code == 0 && output.Contains("6.0 MiB copied", StringComparison.Ordinal), output);
        (code, output) = await HearthProcess.RunAsync(["model", "verify", from, "--copy-to", to]);
        Assert.True(code == 0 && output.Contains("; 0 B copied", StringComparison.Ordinal), output);
        Assert.Equal(0, (await HearthProcess.RunAsync(["model", "verify", to, "--sums", sums])).ExitCode);

        await File.WriteAllTextAsync(Path.Combine(to, "chat_template.jinja"), "{{ evil }}", Cancellation);
        (code, output) = await HearthProcess.RunAsync(["model", "verify", to, "--sums", sums]);
        Assert.True(code == 70 && output.Contains("chat_template.jinja is not in", StringComparison.Ordinal), output);
        await using (var weights = new FileStream(Path.Combine(from, "model.safetensors"), FileMode.Open))
            weights.SetLength(1_000_000);
        (code, output) = await HearthProcess.RunAsync(["model", "verify", from, "--copy-to", Path.Combine(_data.Path, "other")]);
        Assert.True(code == 70 && output.Contains("1000000 bytes", StringComparison.Ordinal), output);
        Assert.False(File.Exists(Path.Combine(_data.Path, "other", "model.safetensors")));
        await File.WriteAllTextAsync(sums, $"{new string('0', 64)}  ../../etc/passwd", Cancellation);
        (code, output) = await HearthProcess.RunAsync(["model", "verify", from]);
        Assert.True(code == 2 && output.Contains("line 1", StringComparison.Ordinal), output);
    }

    [Fact]
    public async Task ATestPodNeedsNoShell()
    {
        var url = "http://127.0.0.1:1";
        Assert.Equal(75, (await HearthProcess.RunAsync(["health", "--url", url])).ExitCode);
        Assert.Equal(75, (await HearthProcess.RunAsync(["chat", "Hello!", "--url", url])).ExitCode);
        await using var server = await HearthProcess.ServeAsync(_data.Path);
        var (code, output) = await HearthProcess.RunAsync(["health", "--url", server.Url.ToString()]);
        Assert.True(code == 0 && output.Contains("ready: {\"status\":\"ready\"", StringComparison.Ordinal), output);
        (code, output) = await HearthProcess.RunAsync(["chat", "Please count to 3.", "--url", server.Url.ToString(), "--temperature", "0"]);
        Assert.True(code == 0 && output.Contains('3', StringComparison.Ordinal), output);
    }

    [Fact]
    public async Task ADeviceThatIsNotThereIsNamed()
    {
        var (code, output) = await HearthProcess.RunAsync(["serve", "--device", "cuda:0", "--kv-memory", "auto"]);
        Assert.True(code == 2 && output.Contains("--device", StringComparison.Ordinal), output);
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
    [InlineData(75, "top", "--url", "http://127.0.0.1:9")]
    [InlineData(2, "top", "--url", "nowhere")]
    [InlineData(2, "top", "--interval", "1ms")]
    [InlineData(2, "doctor", "nobody")]
    [InlineData(2, "model", "inspect", "models/demo", "--tokens", "0")]
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
