using Hearth.Contracts;
using Xunit;

namespace Hearth.Engine.Tests;

/// <summary>A part is taken in whole or not at all, and costs nobody else anything.</summary>
public class ImportTests
{
    static readonly int[] Prompt = Harness.Tokens(1, 301);
    static readonly CacheId Id = new("a");

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task WhatDoesNotFitIsRefusedWithTheReasonAndChangesNothing()
    {
        var parts = await PartsAsync();
        await using var harness = new Harness(blocks: 60);
        Assert.Null(await ImportAsync(harness, parts[0]));
        var before = harness.Engine.DescribeCache(Id);
        var broken = parts[1].Blob.ToArray();
        broken[200] ^= 1;
        var known = Prompt.AsMemory(0, 300);
        int[] other = [9, .. Prompt[1..300]];
        (string Reason, Func<ValueTask<string?>> Import)[] refused =
        [
            ("checksum does not match", () => harness.Engine.ImportAsync(Id, "tenant", known, 256, broken, Stop)),
            ("belongs to other tokens", () => harness.Engine.ImportAsync(Id, "tenant", other, 256, parts[1].Blob, Stop)),
            ("truncated", () => harness.Engine.ImportAsync(Id, "tenant", Prompt.AsMemory(0, 300), 256, default, Stop)),
            ("a part begins at a multiple", () => harness.Engine.ImportAsync(Id, "tenant", Prompt, 255, parts[1].Blob, Stop)),
            ("a part begins at a multiple", () => harness.Engine.ImportAsync(Id, "tenant", Prompt, -8, parts[1].Blob, Stop)),
            ("a part has 1 to 256 tokens", () => harness.Engine.ImportAsync(Id, "tenant", Prompt, 304, parts[1].Blob, Stop)),
            ("the context is 480 tokens", () => harness.Engine.ImportAsync(Id, "tenant", new int[500], 256, parts[1].Blob, Stop)),
            ("a gap", () => ImportAsync(harness, parts[1], scope: "other")),
            ("a gap", () => ImportAsync(harness, parts[1], "b", "other")),
        ];
        foreach (var (reason, import) in refused)
        {
            Assert.StartsWith(reason, await import());
            Assert.Equal(before, harness.Engine.DescribeCache(Id));
        }

        Assert.Null(await ImportAsync(harness, parts[1]));
        Assert.Equal(300, harness.Engine.DescribeCache(Id).Tokens);
        var request = Harness.Request("a", Prompt);
        Assert.Equal(await Harness.AloneAsync(request), (await harness.RunAsync(request)).Tokens);
    }

    [Fact]
    public async Task RunningRepliesAreNeverPushedOutByImports()
    {
        var parts = await PartsAsync();
        await using var harness = new Harness(blocks: 40);
        var running = Harness.Request("running", Harness.Tokens(2, 20), 200);
        var reply = harness.Submit(running);
        await reply.WaitToReadAsync(Stop);
        string? refusal = null;
        for (var i = 0; i < 30 && refusal is null; i++)
        {
            refusal = await ImportAsync(harness, parts[0], $"import {i}", $"scope {i}");
        }

        Assert.Equal(await Harness.AloneAsync(running), (await Harness.ReadAsync(reply)).Tokens);
        Assert.Equal(0, harness.Engine.Load.Preemptions);
        Assert.True(refusal is null or "no room", refusal);
    }

    [Fact]
    public async Task ImportsThatNobodyTakesUpGiveWayAndAreDropped()
    {
        var parts = await PartsAsync();
        await using var harness = new Harness(blocks: 40, hostBytes: 0);
        for (var i = 0; i < 20; i++)
        {
            Assert.Null(await ImportAsync(harness, parts[0], $"import {i}", $"scope {i}"));
        }

        var request = Harness.Request("next", Harness.Tokens(2, 280));
        Assert.Equal(await Harness.AloneAsync(request), (await harness.RunAsync(request)).Tokens);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => harness.DropAsync($"import {i}")));
        await harness.DropAsync("next");
        harness.Engine.Memory.CheckIntegrity();
        var pool = harness.Engine.Memory.Pool;
        Assert.Equal((0, 40), (pool.Used, pool.Free + pool.Idle));
    }

    [Fact]
    public async Task EqualBlocksAreSharedAndFoundByOthersOfTheScopeOnly()
    {
        var parts = await PartsAsync();
        await using var harness = new Harness();
        Assert.Null(await ImportAsync(harness, parts[0]));
        Assert.Null(await ImportAsync(harness, parts[0], "b"));
        Assert.Equal(32, harness.Engine.Memory.Pool.Used);
        Assert.Null(await ImportAsync(harness, parts[1], "b"));
        Assert.Equal(256, (await harness.RunAsync(Harness.Request("c", Prompt[..257], 1))).Admitted.CachedTokens);
        var foreign = await harness.RunAsync(Harness.Request("c", Prompt[..257], 1) with { Scope = "other" });
        Assert.Equal(0, foreign.Admitted.CachedTokens);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ARequestOrADropThatComesWhileAPartIsCopiedIsRight(bool drop)
    {
        var parts = await PartsAsync();
        await using var harness = new Harness();
        using var copying = new SemaphoreSlim(0);
        using var gate = new ManualResetEventSlim();
        harness.Kv.OnImport = () =>
        {
            copying.Release();
            gate.Wait();
        };
        var import = Task.Run(() => ImportAsync(harness, parts[0]).AsTask(), Stop);
        await copying.WaitAsync(Stop);
        Assert.Equal("the cache is in use", await ImportAsync(harness, parts[0]));
        var request = Harness.Request("a", Prompt);
        var reply = drop ? null : await harness.RunAsync(request);
        await (drop ? harness.DropAsync("a") : Task.CompletedTask);
        harness.Kv.OnImport = null;
        gate.Set();
        Assert.Equal(drop ? "dropped" : "a request came before the cache was whole", await import);
        Assert.Equal(drop ? [] : await Harness.AloneAsync(request), reply?.Tokens ?? []);
        Assert.Equal(drop ? 0 : 324, harness.Engine.DescribeCache(Id).Tokens);
        await harness.DropAsync("a");
        harness.Engine.Memory.CheckIntegrity();
        Assert.Equal(0, harness.Engine.Memory.Pool.Used);
    }

    [Fact]
    public async Task StoppingTheEngineWaitsForThoseWhoCopy()
    {
        var parts = await PartsAsync();
        await using var harness = new Harness();
        using var copying = new SemaphoreSlim(0);
        using var gate = new ManualResetEventSlim();
        harness.Kv.OnImport = () =>
        {
            copying.Release();
            gate.Wait();
        };
        var import = Task.Run(() => ImportAsync(harness, parts[0]).AsTask(), Stop);
        await copying.WaitAsync(Stop);
        var stopped = harness.DisposeAsync().AsTask();
        Assert.False(stopped.IsCompleted);
        harness.Kv.OnImport = null;
        gate.Set();
        await stopped;
        Assert.Equal("the engine stops", await import);
        Assert.Equal("the engine stops", await ImportAsync(harness, parts[0]));
        Assert.Null(await harness.Engine.ExportAsync(Id, 0, Stop));
    }

    static async Task<CacheChunk[]> PartsAsync()
    {
        await using var harness = new Harness();
        await harness.RunAsync(Harness.Request("a", Prompt[..300], 1));
        return [(await harness.Engine.ExportAsync(Id, 0, Stop))!, (await harness.Engine.ExportAsync(Id, 256, Stop))!];
    }

    static ValueTask<string?> ImportAsync(Harness harness, CacheChunk part, string cache = "a", string scope = "tenant") =>
        harness.Engine.ImportAsync(
            new CacheId(cache), scope, Prompt.AsMemory(0, part.First + part.Tokens), part.First, part.Blob, Stop);
}
