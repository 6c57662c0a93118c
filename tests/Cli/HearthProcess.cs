using System.Diagnostics;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Xunit;

namespace Hearth.Cli.Tests;

/// <summary>A real <c>hearth serve</c> on a port of its own.</summary>
sealed partial class HearthProcess : IAsyncDisposable
{
    readonly Process _process;
    readonly List<string> _output;

    HearthProcess(Process process, List<string> output, string url)
    {
        (_process, _output) = (process, output);
        Http = new HttpClient { BaseAddress = new Uri(url), Timeout = TimeSpan.FromMinutes(2) };
    }

    public HttpClient Http { get; }
    public Uri Url => Http.BaseAddress!;

    public static string Program { get; } = Path.Combine(Root(), "artifacts", "bin", "Cli", "release", "hearth.dll");

    public static string DemoModel { get; } = Path.Combine(Root(), "models", "demo");

    public static async Task<HearthProcess> ServeAsync(string data, params string[] flags)
    {
        var (process, output) = Start(["serve", "--urls", "http://127.0.0.1:0", "--data", data, .. flags]);
        var url = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is null)
                url.TrySetException(new InvalidOperationException($"hearth ended before it was ready:\n{Joined(output)}"));
            else if (ReadyLine().Match(line.Data) is { Success: true } ready)
                url.TrySetResult(ready.Groups[1].Value);
        };
        process.BeginOutputReadLine();
        try
        {
            return new(process, output, await url.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken));
        }
        catch
        {
            process.Kill();
            process.Dispose();
            throw;
        }
    }

    /// <summary>Runs a verb to its end.</summary>
    /// <param name="heapBytes">Most memory that the runtime gives it; 0 for no bound.</param>
    public static async Task<(int ExitCode, string Output)> RunAsync(string[] arguments, string? input = null, int heapBytes = 0)
    {
        var (process, output) = Start(arguments, heapBytes);
        using (process)
        {
            process.BeginOutputReadLine();
            if (input is not null)
                await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(1));
            return (process.ExitCode, Joined(output));
        }
    }

    /// <summary>One chat completion; fails the test with the server's words when it is refused.</summary>
    public async Task<Reply> ChatAsync(object body)
    {
        using var response = await Http.PostAsJsonAsync("v1/chat/completions", body, TestContext.Current.CancellationToken);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode}: {text}\n{Joined(_output)}");
        var json = JsonNode.Parse(text)!;
        return new Reply(
            json["choices"]![0]!["message"]!["content"]!.GetValue<string>(),
            response.Headers.GetValues("x-hearth-cache").Single(),
            json["usage"]!["prompt_tokens"]!.GetValue<int>(),
            json["usage"]!["prompt_tokens_details"]!["cached_tokens"]!.GetValue<int>(),
            json["usage"]!["completion_tokens"]!.GetValue<int>());
    }

    /// <summary>One chat completion with an Idempotency-Key; the reply's body to the byte.</summary>
    public async Task<string> KeyedAsync(string key, object body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/chat/completions") { Content = JsonContent.Create(body) };
        request.Headers.Add("Idempotency-Key", key);
        using var response = await Http.SendAsync(request, TestContext.Current.CancellationToken);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, text);
        return text;
    }

    /// <summary>Waits until what the server reports at <paramref name="path"/> fulfils the condition.</summary>
    public async Task UntilAsync(string path, Func<string, bool> condition)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!condition(await Http.GetStringAsync(path, deadline.Token)))
            Assert.True(await timer.WaitForNextTickAsync(deadline.Token));
    }

    /// <summary>Waits until the store holds so much of a conversation's cache.</summary>
    public Task UntilSpilledAsync(string conversation, int tokens) => UntilAsync(
        $"admin/conversations/{conversation}", info => JsonNode.Parse(info)!["spilled_tokens"]!.GetValue<int>() >= tokens);

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>SIGTERM; gives the exit code.</summary>
    public async Task<int> StopAsync()
    {
        using var kill = Process.Start("sh", ["-c", $"kill -TERM {_process.Id}"]);
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(1));
        return _process.ExitCode;
    }

    public string Output => Joined(_output);

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            await KillAsync();
        _process.Dispose();
        Http.Dispose();
    }

    static (Process Process, List<string> Output) Start(string[] arguments, int heapBytes = 0)
    {
        Assert.True(File.Exists(Program), $"{Program} is missing: build Cluster.sln in Release first");
        var start = new ProcessStartInfo("dotnet", [Program, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["NO_COLOR"] = "1";
        if (heapBytes > 0)
            start.Environment["DOTNET_GCHeapHardLimit"] = $"0x{heapBytes:x}";
        var output = new List<string>();
        var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.Start();
        process.BeginErrorReadLine();
        return (process, output);

        void Keep(string? line)
        {
            if (line is not null)
            {
                lock (output)
                    output.Add(line);
            }
        }
    }

    static string Joined(List<string> output)
    {
        lock (output)
            return string.Join('\n', output);
    }

    static string Root([CallerFilePath] string file = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", ".."));

    [GeneratedRegex(@"^Ready .*(http://[\d.]+:\d+)")]
    private static partial Regex ReadyLine();
}

sealed record Reply(string Text, string Cache, int PromptTokens, int CachedTokens, int CompletionTokens);
