using System.Text;
using Hearth.Actors;
using Hearth.Actors.Storage;
using Xunit;

namespace Hearth.Tests.Shared;

/// <summary>What every grain store must do. A store's own test class gives the store.</summary>
public abstract class GrainStoreProperties
{
    protected static readonly GrainId Grain = new("tenant", "conversation");

    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    protected abstract IGrainStore Store { get; }

    [Fact]
    public async Task AGrainHasOneOwnerAndAnotherMustNameIt()
    {
        Assert.Equal(new AcquireResult(AcquireOutcome.Acquired, 1), await Store.AcquireAsync(Grain, "s1", "a", null, Stop));
        var refused = await Store.AcquireAsync(Grain, "s2", "b", null, Stop);
        Assert.Equal(new AcquireResult(AcquireOutcome.Owned, 0, new GrainOwner("s1", 1, "a")), refused);
        Assert.Equal(AcquireOutcome.Owned, (await Store.AcquireAsync(Grain, "s2", "b", "x", Stop)).Outcome);
        Assert.Equal(new AcquireResult(AcquireOutcome.Acquired, 2, PreviousSilo: "s1"),
            await Store.AcquireAsync(Grain, "s2", "b", "a", Stop));
    }

    [Fact]
    public async Task AReleasedGrainIsFreeAndItsEpochGoesOn()
    {
        var fence = await OwnAsync("a");
        Assert.Equal(WriteOutcome.Done, await Store.ReleaseAsync(Grain, fence, Stop));
        Assert.Equal(WriteOutcome.Fenced, await Store.ReleaseAsync(Grain, fence, Stop));
        Assert.Equal(2, (await OwnAsync("b")).Epoch);
    }

    [Fact]
    public async Task AGrainIsFoundWhereItIsOrWasLast()
    {
        Assert.Null(await Store.LocateAsync(Grain, Stop));
        var fence = await OwnAsync("a");
        Assert.Equal(new GrainLocation(new GrainOwner("s1", 1, "a"), "s1"), await Store.LocateAsync(Grain, Stop));
        await Store.ReleaseAsync(Grain, fence, Stop);
        Assert.Equal(new GrainLocation(null, "s1"), await Store.LocateAsync(Grain, Stop));
        var next = await Store.AcquireAsync(Grain, "s2", "b", null, Stop);
        Assert.Equal(new AcquireResult(AcquireOutcome.Acquired, 2, PreviousSilo: "s1"), next);
        await Store.DeleteAsync(Grain, Stop);
        Assert.Null(await Store.LocateAsync(Grain, Stop));
    }

    [Fact]
    public async Task HandingOverMovesOwnershipAndTheRunningOperationInOneStep()
    {
        var source = await OwnAsync("a");
        await Store.BeginAsync(Grain, source, "t1", "h", "request"u8.ToArray(), Stop);
        await Store.BeginAsync(Grain, source, "t2", "h", default, Stop);
        var moved = await Store.HandOverAsync(Grain, source, "s2", "b", "t1", Stop);
        Assert.Equal(new AcquireResult(AcquireOutcome.Acquired, 2, PreviousSilo: "s1"), moved);
        Assert.Equal(new GrainLocation(new GrainOwner("s2", 2, "b"), "s2"), await Store.LocateAsync(Grain, Stop));
        var again = await Store.HandOverAsync(Grain, source, "s2", "c", "t1", Stop);
        Assert.Equal(new AcquireResult(AcquireOutcome.Fenced), again);
        Assert.Equal(CommitOutcome.Fenced, (await Store.CommitAsync(Grain, source, Step("t1", "h", 0, "x"), Stop)).Outcome);

        var target = new Fence(2, "b");
        Assert.Equal(BeginOutcome.Pending, (await Store.BeginAsync(Grain, target, "t1", "h", default, Stop)).Outcome);
        Assert.Equal(BeginOutcome.TakenOver, (await Store.BeginAsync(Grain, target, "t2", "h", default, Stop)).Outcome);
        Assert.Equal("request"u8.ToArray(), (await Store.FindOperationAsync(Grain, "t1", Stop))!.Request);
        Assert.Equal(CommitOutcome.Done, (await Store.CommitAsync(Grain, target, Step("t1", "h", 0, "x"), Stop)).Outcome);
        await Store.DeleteAsync(Grain, Stop);
        Assert.Equal(AcquireOutcome.Deleted, (await Store.HandOverAsync(Grain, target, "s3", "d", null, Stop)).Outcome);
    }

    [Fact]
    public async Task APendingOperationKeepsItsRequestAndACommittedOneItsResult()
    {
        Assert.Null(await Store.FindOperationAsync(Grain, "t1", Stop));
        var fence = await OwnAsync("a");
        Assert.Null(await Store.FindOperationAsync(Grain, "t1", Stop));
        await Store.BeginAsync(Grain, fence, "t1", "hash of it", "first"u8.ToArray(), Stop);
        await Store.BeginAsync(Grain, fence, "t1", "hash of it", "second"u8.ToArray(), Stop);
        await Store.BeginAsync(Grain, fence, "t0", "h", default, Stop);
        var pending = await Store.FindOperationAsync(Grain, "t1", Stop);
        Assert.Equal(("t1", OperationStatus.Pending, "hash of it", 1L),
            (pending!.Id, pending.Status, pending.Hash, pending.Epoch));
        Assert.Equal("first"u8.ToArray(), pending.Request);
        Assert.Null(pending.Result);
        var listed = (await Store.ReadAsync(Grain, Stop))!.Pending;
        Assert.Equal([pending with { Request = null }, new("t0", OperationStatus.Pending, "h", 1, null, null)], listed);

        await Store.CommitAsync(Grain, fence, Step("t1", "hash of it", 0, "x"), Stop);
        var committed = await Store.FindOperationAsync(Grain, "t1", Stop);
        Assert.Equal((OperationStatus.Committed, "result of t1"),
            (committed!.Status, Encoding.UTF8.GetString(committed.Result!)));
        Assert.Null(committed.Request);
        await Store.EndAsync(Grain, fence, "t0", OperationStatus.Failed, Stop);
        var failed = new StoredOperation("t0", OperationStatus.Failed, "h", 1, null, null);
        Assert.Equal(failed, await Store.FindOperationAsync(Grain, "t0", Stop));
        Assert.Empty((await Store.ReadAsync(Grain, Stop))!.Pending);
    }

    [Fact]
    public async Task NamesOfAnyCharactersDoNotMeet()
    {
        GrainId[] grains = [new("a", "b/c"), new("a/b", "c"), new("}", "x"), new("{", "x"), new("a}", "{b}"), new("%", "é\n ")];
        foreach (var grain in grains)
        {
            Assert.Equal(1, (await Store.AcquireAsync(grain, "s1", "a", null, Stop)).Epoch);
            var step = Step(null, null, 0, grain.ToString()) with { IndexKey = "k" };
            Assert.Equal(CommitOutcome.Done, (await Store.CommitAsync(grain, new Fence(1, "a"), step, Stop)).Outcome);
        }
        foreach (var grain in grains)
        {
            Assert.Equal(grain.ToString(), Encoding.UTF8.GetString((await Store.ReadAsync(grain, Stop))!.Log.Single()));
            Assert.Equal(grain, await Store.FindAsync(grain.Scope, "k", Stop));
            Assert.Equal([grain], (await Store.ListAsync(grain.Scope, 10, Stop)).Select(s => s.Id));
        }
    }

    [Fact]
    public async Task NoWriteOfAFormerOwnerSucceeds()
    {
        var old = await OwnAsync("a");
        await Store.BeginAsync(Grain, old, "t1", "h", default, Stop);
        await Store.AcquireAsync(Grain, "s2", "b", "a", Stop);
        // The second one has the right epoch and the wrong activation, as after a store that lost its last writes.
        foreach (var stale in new[] { old, new Fence(2, "a"), new Fence(1, "b") })
        {
            Assert.Equal(BeginOutcome.Fenced, (await Store.BeginAsync(Grain, stale, "t2", "h", default, Stop)).Outcome);
            Assert.Equal(CommitOutcome.Fenced, (await Store.CommitAsync(Grain, stale, Step("t1", "h", 0, "x"), Stop)).Outcome);
            Assert.Equal(WriteOutcome.Fenced, await Store.EndAsync(Grain, stale, "t1", OperationStatus.Failed, Stop));
            Assert.Equal(WriteOutcome.Fenced, await Store.ReleaseAsync(Grain, stale, Stop));
            Assert.Equal(AcquireOutcome.Fenced, (await Store.HandOverAsync(Grain, stale, "s1", "c", null, Stop)).Outcome);
        }
        Assert.Empty((await Store.ReadAsync(Grain, Stop))!.Log);
    }

    [Fact]
    public async Task AnOperationIsCommittedOnceAndAnswersWithItsResultAfterwards()
    {
        var fence = await OwnAsync("a");
        Assert.Equal(CommitOutcome.NotBegun, (await Store.CommitAsync(Grain, fence, Step("t1", "h", 0, "x"), Stop)).Outcome);
        Assert.Equal(BeginOutcome.Begun, (await Store.BeginAsync(Grain, fence, "t1", "h", default, Stop)).Outcome);
        Assert.Equal(BeginOutcome.Pending, (await Store.BeginAsync(Grain, fence, "t1", "h", default, Stop)).Outcome);
        Assert.Equal(BeginOutcome.Conflict, (await Store.BeginAsync(Grain, fence, "t1", "other", default, Stop)).Outcome);
        Assert.Equal(CommitOutcome.Conflict, (await Store.CommitAsync(Grain, fence, Step("t1", "other", 0, "x"), Stop)).Outcome);
        var misplaced = await Store.CommitAsync(Grain, fence, Step("t1", "h", 5, "x"), Stop);
        Assert.Equal(new CommitResult(CommitOutcome.LengthMismatch, 0), misplaced);
        var done = await Store.CommitAsync(Grain, fence, Step("t1", "h", 0, "x"), Stop);
        Assert.Equal(new CommitResult(CommitOutcome.Done, 1), done);
        var repeated = await Store.CommitAsync(Grain, fence, Step("t1", "h", 1, "x"), Stop);
        Assert.Equal(new CommitResult(CommitOutcome.Duplicate, 1), repeated);
        var again = await Store.BeginAsync(Grain, fence, "t1", "h", default, Stop);
        Assert.Equal(BeginOutcome.Committed, again.Outcome);
        Assert.Equal("result of t1", Encoding.UTF8.GetString(again.Result!));
    }

    [Fact]
    public async Task APendingOperationIsTakenOverByTheNextOwnerAndAFailedOneBeginsAnew()
    {
        await Store.BeginAsync(Grain, await OwnAsync("a"), "t1", "h", default, Stop);
        var next = await OwnAsync("b", "a");
        Assert.Equal(BeginOutcome.TakenOver, (await Store.BeginAsync(Grain, next, "t1", "h", default, Stop)).Outcome);
        Assert.Equal(WriteOutcome.Done, await Store.EndAsync(Grain, next, "t1", OperationStatus.Cancelled, Stop));
        Assert.Equal(WriteOutcome.NotFound, await Store.EndAsync(Grain, next, "t1", OperationStatus.Failed, Stop));
        Assert.Equal(CommitOutcome.NotBegun, (await Store.CommitAsync(Grain, next, Step("t1", "h", 0, "x"), Stop)).Outcome);
        Assert.Equal(BeginOutcome.Begun, (await Store.BeginAsync(Grain, next, "t1", "h", default, Stop)).Outcome);
    }

    [Fact]
    public async Task DeleteLeavesATombstoneThatNoWriterPasses()
    {
        var fence = await OwnAsync("a");
        await Store.CommitAsync(Grain, fence, Step(null, null, 0, "x") with { IndexKey = "key" }, Stop);
        Assert.True(await Store.DeleteAsync(Grain, Stop));
        Assert.False(await Store.DeleteAsync(Grain, Stop));
        Assert.Equal(CommitOutcome.Fenced, (await Store.CommitAsync(Grain, fence, Step(null, null, 0, "y"), Stop)).Outcome);
        Assert.Equal(AcquireOutcome.Deleted, (await Store.AcquireAsync(Grain, "s1", "c", null, Stop)).Outcome);
        Assert.Null(await Store.ReadAsync(Grain, Stop));
        Assert.Null(await Store.DescribeAsync(Grain, Stop));
        Assert.Null(await Store.FindAsync("tenant", "key", Stop));
        Assert.Empty(await Store.ListAsync("tenant", 10, Stop));
    }

    [Fact]
    public async Task AnIndexKeyLeadsToTheGrainThatTookItLastAndEachGrainHasOne()
    {
        var fence = await OwnAsync("a");
        await Store.CommitAsync(Grain, fence, Step(null, null, 0) with { IndexKey = "k1" }, Stop);
        Assert.Equal(Grain, await Store.FindAsync("tenant", "k1", Stop));
        Assert.Null(await Store.FindAsync("somebody else", "k1", Stop));
        await Store.CommitAsync(Grain, fence, Step(null, null, 0) with { IndexKey = "k2" }, Stop);
        Assert.Null(await Store.FindAsync("tenant", "k1", Stop));

        var other = new GrainId("tenant", "other");
        await Store.AcquireAsync(other, "s1", "b", null, Stop);
        await Store.CommitAsync(other, new Fence(1, "b"), Step(null, null, 0) with { IndexKey = "k2" }, Stop);
        Assert.Equal(other, await Store.FindAsync("tenant", "k2", Stop));
        Assert.Equal([other, Grain], (await Store.ListAsync("tenant", 10, Stop)).Select(s => s.Id));
    }

    [Theory, InlineData(1), InlineData(2), InlineData(3)]
    public async Task LogAndJournalAreAsAModelSays(int seed)
    {
        var random = new Random(seed);
        var fence = await OwnAsync("a");
        List<byte[]> log = [];
        byte[] journal = [];
        for (var step = 0; step < 60; step++)
        {
            var keep = random.Next(3) == 0 ? random.Next(log.Count + 1) : log.Count;
            var journalKeep = random.Next(3) == 0 ? random.Next(journal.Length + 1) : journal.Length;
            var append = Enumerable.Range(0, random.Next(3)).Select(_ => Bytes(random, 20)).ToList();
            var more = Bytes(random, 50);
            var state = Bytes(random, 10);
            var commit = new GrainCommit
            {
                ExpectedLength = log.Count,
                Keep = keep,
                Append = append.ConvertAll(b => (ReadOnlyMemory<byte>)b),
                JournalKeep = journalKeep,
                JournalAppend = more,
                State = state,
            };
            Assert.Equal(CommitOutcome.Done, (await Store.CommitAsync(Grain, fence, commit, Stop)).Outcome);
            log = [.. log[..keep], .. append];
            journal = [.. journal[..journalKeep], .. more];
            var read = await Store.ReadAsync(Grain, Stop);
            Assert.Equal(log, read!.Log);
            Assert.Equal(journal, read.Journal);
            Assert.Equal(state, read.Summary.State);
        }
    }

    [Fact]
    public async Task OfManyWhoAcquireAtOnceOneOwns()
    {
        var results = await Task.WhenAll(Enumerable.Range(0, 32)
            .Select(i => Store.AcquireAsync(Grain, "s1", $"a{i}", null, Stop).AsTask()));
        Assert.Single(results, r => r.Outcome == AcquireOutcome.Acquired);
    }

    protected async Task<Fence> OwnAsync(string activation, string? previous = null) =>
        new((await Store.AcquireAsync(Grain, "s1", activation, previous, Stop)).Epoch, activation);

    static byte[] Bytes(Random random, int most)
    {
        var bytes = new byte[random.Next(most + 1)];
        random.NextBytes(bytes);
        return bytes;
    }

    protected static GrainCommit Step(string? operation, string? hash, int length, params string[] entries) => new()
    {
        Operation = operation,
        Hash = hash,
        Result = Encoding.UTF8.GetBytes($"result of {operation}"),
        ExpectedLength = length,
        Keep = length,
        Append = entries.Select(e => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(e)).ToList(),
        JournalKeep = 0,
        State = "state"u8.ToArray(),
    };
}

/// <summary>What a store that many threads call must do besides.</summary>
public abstract class SharedGrainStoreProperties : GrainStoreProperties
{
    /// <summary>INV-01: an epoch has one activation, and none is left out, however many take the grain from each other.</summary>
    [Fact]
    public async Task OfManyWhoTakeOverAgainAndAgainEachEpochHasOne()
    {
        var granted = await Task.WhenAll(Enumerable.Range(0, 8).Select(async i =>
        {
            List<(long Epoch, string Activation)> mine = [];
            for (var n = 0; n < 20; n++)
            {
                await Task.Yield();
                var owner = (await Store.LocateAsync(Grain, Stop))?.Owner;
                var (silo, activation) = ($"s{i}", $"a{i}-{n}");
                var result = n % 4 == 3 && owner is not null
                    ? await Store.HandOverAsync(Grain, new Fence(owner.Epoch, owner.Activation), silo, activation, null, Stop)
                    : await Store.AcquireAsync(Grain, silo, activation, owner?.Activation, Stop);
                if (result.Outcome == AcquireOutcome.Acquired)
                    mine.Add((result.Epoch, activation));
            }
            return mine;
        }));
        var epochs = granted.SelectMany(g => g).OrderBy(g => g.Epoch).ToList();
        Assert.Equal(Enumerable.Range(1, epochs.Count).Select(e => (long)e), epochs.Select(e => e.Epoch));
        Assert.Equal(epochs[^1].Activation, (await Store.LocateAsync(Grain, Stop))!.Owner!.Activation);
    }
}
