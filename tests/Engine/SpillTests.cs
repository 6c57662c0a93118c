using Hearth.Contracts;
using Xunit;

namespace Hearth.Engine.Tests;

/// <summary>A store may lose, mix up or break what it was given, or hang: it costs the cache, never the reply.</summary>
public class SpillTests
{
    static readonly int[] Prompt = Harness.Tokens(1, 520);

    [Fact]
    public async Task ABrokenChunkIsRecomputedWithTheReasonGiven()
    {
        var (request, spill) = await SpilledAsync();
        var expected = await Harness.AloneAsync(request);
        await using var harness = new Harness();
        for (var at = 0; at < spill.Chunks[2].Length; at++)
        {
            spill.Chunks[2][at] ^= 0x10;
            var reply = await harness.RunAsync(request with { Cache = new CacheId($"x{at}"), Scope = $"scope {at}" });
            spill.Chunks[2][at] ^= 0x10;
            Assert.Equal(expected, reply.Tokens);
            Assert.Equal((CacheOrigin.Restored, 512), (reply.Admitted.Cache, reply.Admitted.CachedTokens));
            Assert.StartsWith("chunk 2 from the store: ", reply.Admitted.CacheReason);
            await harness.DropAsync($"x{at}");
        }
    }

    [Fact]
    public async Task SwappedForeignMissingAndTruncatedChunksAreNotUsed()
    {
        var (request, spill) = await SpilledAsync();
        var expected = await Harness.AloneAsync(request);
        var other = await SpilledAsync(seed: 9);
        var (zero, one) = (spill.Chunks[0], spill.Chunks[1]);
        (string Reason, Action Break)[] breaks =
        [
            ("chunk 0 from the store: belongs to other tokens", () => (spill.Chunks[0], spill.Chunks[1]) = (one, zero)),
            ("chunk 0 from the store: belongs to other tokens", () => spill.Chunks[0] = other.Spill.Chunks[0]),
            ("chunk 0 from the store: gone", () => spill.Chunks.Clear()),
            ("chunk 0 from the store: gone", () => spill.Chunks[0] = []),
            ("chunk 0 from the store: truncated", () => spill.Chunks[0] = zero[..40]),
            ("chunk 0 from the store: wrong size", () => spill.Chunks[0] = zero[..^1]),
        ];
        foreach (var (reason, change) in breaks)
        {
            (spill.Chunks[0], spill.Chunks[1]) = (zero, one);
            change();
            await using var harness = new Harness();
            var reply = await harness.RunAsync(request);
            Assert.Equal(expected, reply.Tokens);
            Assert.Equal((CacheOrigin.Recomputed, 0), (reply.Admitted.Cache, reply.Admitted.CachedTokens));
            Assert.Equal(reason, reply.Admitted.CacheReason);
        }
    }

    [Fact]
    public async Task ChunksAreReadWhileTheOneBeforeThemIsUsedAndTheirMemoryIsGivenBack()
    {
        var (request, spill) = await SpilledAsync();
        var read = new List<int>();
        var (lent, most) = (0, 0);
        var lending = new FakeSpill
        {
            Tokens = spill.Tokens,
            BeforeRead = (chunk, _) =>
            {
                read.Add(chunk);
                return ValueTask.CompletedTask;
            },
            // As a source does that uses its memory again: what was given back is no longer there.
            Lend = chunk =>
            {
                var memory = chunk.Blob.ToArray();
                most = Math.Max(most, Interlocked.Increment(ref lent));
                return chunk with
                {
                    Blob = memory,
                    Lease = new Lease(() =>
                    {
                        memory.AsSpan().Fill(0xAA);
                        Interlocked.Decrement(ref lent);
                    }),
                };
            },
            Chunks = spill.Chunks,
        };
        await using var harness = new Harness();
        var reply = await harness.RunAsync(request with { Spill = lending });
        Assert.Equal(await Harness.AloneAsync(request), reply.Tokens);
        Assert.Equal((CacheOrigin.Restored, 543), (reply.Admitted.Cache, reply.Admitted.CachedTokens));
        Assert.Equal([0, 1, 2], read);
        Assert.Equal((0, Limits.RestoreReads + 1), (lent, most));
    }

    [Fact]
    public async Task OnlyTheCommonPrefixIsUsed()
    {
        var (request, spill) = await SpilledAsync();
        foreach (var cut in new[] { 1, 7, 8, 255, 256, 300 })
        {
            await using var harness = new Harness();
            var edited = request with { Prompt = (int[])[.. Prompt[..cut], 210, 209, 208] };
            Assert.NotEqual(210, Prompt[cut]);
            var reply = await harness.RunAsync(edited);
            Assert.Equal(await Harness.AloneAsync(edited), reply.Tokens);
            Assert.Equal((CacheOrigin.Restored, cut), (reply.Admitted.Cache, reply.Admitted.CachedTokens));
        }
    }

    [Fact]
    public async Task WhatIsResidentAlreadyIsNotRead()
    {
        var (request, spill) = await SpilledAsync();
        await using var harness = new Harness();
        await harness.RunAsync(Harness.Request("neighbour", Prompt[..300]));
        spill.Chunks.TryRemove(0, out _);
        var reply = await harness.RunAsync(request);
        Assert.Equal(await Harness.AloneAsync(request), reply.Tokens);
        Assert.Equal((CacheOrigin.Restored, 543), (reply.Admitted.Cache, reply.Admitted.CachedTokens));
    }

    [Fact]
    public async Task AHangingStoreHoldsUpItsOwnConversationOnlyAndNotForEver()
    {
        var (request, spill) = await SpilledAsync();
        var reading = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var never = new TaskCompletionSource();
        var hanging = new FakeSpill
        {
            Tokens = spill.Tokens,
            BeforeRead = async (_, _) =>
            {
                reading.SetResult();
                await never.Task;
            },
        };
        await using var harness = new Harness();
        var slow = harness.Submit(request with { Spill = hanging });
        await reading.Task;
        Assert.Equal(24, (await harness.RunAsync(Harness.Request("b", Harness.Tokens(2, 30)))).Tokens.Length);
        Assert.Equal(0, slow.Count);
        await harness.Time.WaitForTimerAsync();
        harness.Time.Advance(Limits.RestoreReadMax);
        var reply = await Harness.ReadAsync(slow);
        Assert.Equal(await Harness.AloneAsync(request), reply.Tokens);
        Assert.Contains("took longer", reply.Admitted.CacheReason);
    }

    [Theory]
    [InlineData(true, "silo s2", CacheOrigin.Pulled)]
    [InlineData(false, "the store", CacheOrigin.Restored)]
    public async Task TheFasterOfTwoSourcesIsReadAndTheOtherForTheRest(bool peerIsFaster, string faster, CacheOrigin origin)
    {
        var (request, spill) = await SpilledAsync();
        var expected = await Harness.AloneAsync(request);
        await using var harness = new Harness();
        var reads = new List<string>();
        FakeSpill Source(string name, bool isFast, CacheOrigin from) => new()
        {
            Tokens = spill.Tokens,
            Chunks = new(spill.Chunks),
            Source = name,
            Origin = from,
            BeforeRead = (_, _) =>
            {
                reads.Add(name);
                harness.Time.Advance(TimeSpan.FromMilliseconds(isFast ? 1 : 10));
                return default;
            },
        };
        var store = Source("the store", !peerIsFaster, CacheOrigin.Restored);
        var peer = Source("silo s2", peerIsFaster, CacheOrigin.Pulled);
        async Task<Reply> RunAsync(string cache)
        {
            reads.Clear();
            return await harness.RunAsync(request with { Cache = new(cache), Scope = cache, Spill = store, Peer = peer });
        }

        await RunAsync("first");
        await RunAsync("second");
        var reply = await RunAsync("measured");
        Assert.All(reads, read => Assert.Equal(faster, read));
        Assert.Equal((origin, 543, null), (reply.Admitted.Cache, reply.Admitted.CachedTokens, reply.Admitted.CacheReason));
        (peerIsFaster ? peer : store).Chunks.TryRemove(1, out _);
        reply = await RunAsync("rest");
        Assert.Equal([faster, faster], reads[..2]);
        Assert.Equal((543, null), (reply.Admitted.CachedTokens, reply.Admitted.CacheReason));
        Assert.Equal(expected, reply.Tokens);
        store.Chunks.Clear();
        peer.Chunks.Clear();
        reply = await RunAsync("gone");
        Assert.Equal(expected, reply.Tokens);
        Assert.Contains("chunk 0 from the store: gone", reply.Admitted.CacheReason);
        Assert.Contains("chunk 0 from silo s2: gone", reply.Admitted.CacheReason);
    }

    [Fact]
    public async Task WhatWasRoundedSaysSoIsSharedWithNobodyAndStaysTheSameWhereverItGoes()
    {
        var (request, _) = await SpilledAsync();
        await using var harness = new Harness();
        await harness.RunAsync(request with { Spill = null, MaxTokens = 1 });
        var rounded = await harness.ExportAsync("a", request.Prompt.ToArray(), int8: true);
        Assert.True(rounded.Chunks[0].Length < 400);
        await harness.DropAsync("a");
        request = request with { Scope = "other", Spill = rounded };
        var first = await harness.RunAsync(request);
        Assert.Equal((CacheOrigin.Restored, "restored from int8"), (first.Admitted.Cache, first.Admitted.CacheReason));
        Assert.NotEqual(await Harness.AloneAsync(request), first.Tokens);
        var neighbour = await harness.RunAsync(request with { Cache = new("b"), Spill = null });
        Assert.Equal((CacheOrigin.New, 0), (neighbour.Admitted.Cache, neighbour.Admitted.CachedTokens));

        int[] all = [.. request.Prompt.Span, .. first.Tokens, 5];
        var exact = await harness.ExportAsync("a", all);
        await using var other = new Harness();
        var (stayed, moved) = (request with { Prompt = all, Spill = null }, request with { Prompt = all, Spill = exact });
        var (here, there) = (await harness.RunAsync(stayed), await other.RunAsync(moved));
        Assert.Equal(here.Tokens, there.Tokens);
        Assert.Equal(("restored from int8", "restored from int8"), (here.Admitted.CacheReason, there.Admitted.CacheReason));
        Assert.Equal(all.Length - 2, there.Admitted.CachedTokens);
    }

    [Fact]
    public async Task AThrowingStoreAndACancelledRestoreEndWell()
    {
        var (request, spill) = await SpilledAsync();
        var throwing = new FakeSpill { Tokens = spill.Tokens, BeforeRead = (_, _) => throw new IOException("no route to store") };
        await using var harness = new Harness();
        var reply = await harness.RunAsync(request with { Spill = throwing });
        Assert.Equal(await Harness.AloneAsync(request), reply.Tokens);
        Assert.Contains("no route to store", reply.Admitted.CacheReason);

        using var cancellation = new CancellationTokenSource();
        var cancelling = new FakeSpill
        {
            Tokens = spill.Tokens,
            BeforeRead = async (_, token) =>
            {
                await cancellation.CancelAsync();
                token.ThrowIfCancellationRequested();
            },
        };
        await harness.DropAsync("a");
        reply = await harness.RunAsync(request with { Spill = cancelling, Cancellation = cancellation.Token, Scope = "other" });
        Assert.Equal(TurnError.Cancelled, reply.Last.Failure!.Error);
    }

    static async Task<(TokenRequest Request, FakeSpill Spill)> SpilledAsync(int seed = 1)
    {
        await using var harness = new Harness();
        int[] prompt = [.. Prompt.Select(token => (token * seed) % FakeRunner.Vocabulary)];
        var first = await harness.RunAsync(Harness.Request("a", prompt));
        int[] history = [.. prompt, .. first.Tokens];
        var spill = await harness.ExportAsync("a", history);
        return (Harness.Request("a", [.. history, 3]) with { Spill = spill }, spill);
    }

    sealed class Lease(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
