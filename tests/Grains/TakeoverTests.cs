using System.Text.Json;
using Hearth.Actors.Storage;
using Hearth.Contracts;
using Xunit;
using static Hearth.Grains.Tests.Silo;

namespace Hearth.Grains.Tests;

/// <summary>A reply that one silo began and another goes on with, at every place where it can be cut.</summary>
public sealed class TakeoverTests
{
    internal static readonly GenerationOptions[] Options =
    [
        new() { Sampling = new SamplingOptions { Temperature = 0 } },
        new() { Sampling = new SamplingOptions { Seed = 11 }, Logprobs = true },
        new() { Sampling = new SamplingOptions { Seed = 12 }, Stop = ["STOP", "lo w"] },
        new() { Sampling = new SamplingOptions { Seed = 13 }, MaxTokens = 9 },
        new() { Sampling = new SamplingOptions { Seed = 14 }, Choices = 3, Logprobs = true, Stop = ["STO"] },
    ];

    public static TheoryData<int> EachOption => [.. Enumerable.Range(0, Options.Length)];

    [Theory, MemberData(nameof(EachOption))]
    public async Task AfterAnyEventOfADeadOwnerTheReplyGoesOnAsItWould(int option)
    {
        var hold = new TaskCompletionSource();
        await using var silos = new Silos(2) { AtEnd = () => hold.TrySetResult() };
        Talk(silos);
        silos[0].Store.BeforeCommit = _ => hold.Task;
        var baseline = await silos.FollowAsync(TurnOf(option, "baseline"), silos[1]);
        List<Task> dying = [];
        for (var cut = 0; cut < baseline.Count - 1; cut++)
        {
            var turn = TurnOf(option, $"c{cut}");
            // The dead owner makes the whole reply, and cannot commit it.
            var shown = new List<TurnEvent>();
            var enough = new TaskCompletionSource();
            dying.Add(silos.FollowAsync(turn, silos[0], e =>
            {
                shown.Add(e);
                if (shown.Count == baseline.Count - 1)
                    enough.SetResult();
            }));
            await enough.Task;
            silos.Declare(silos[0], isGone: true);
            var events = await silos.FollowAsync(turn, silos[1], shown: shown[..cut]);
            silos.Declare(silos[0], isGone: false);
            Same(baseline, events);
            Assert.Equal(shown[..cut].Select(Form), events[..cut].Select(Form));
            Assert.Equal(silos[1].Id, await silos.OwnerAsync($"c{cut}"));
        }
        // The zombie's commits come late, and none of them counts.
        silos[0].Store.Commits.Clear();
        hold.SetResult();
        await Task.WhenAll(dying);
        Assert.Equal(baseline.Count - 1, silos[0].Store.Commits.Count);
        Assert.All(silos[0].Store.Commits, outcome => Assert.Equal(CommitOutcome.Fenced, outcome));
    }

    /// <summary>What a gateway has shown of any choice must be what the silo has: else it is another reply.</summary>
    [Theory, InlineData(0), InlineData(1), InlineData(2)]
    public async Task AReaderWhoHasSeenAnotherTextOfAChoiceIsToldToSendTheTurnAgain(int choice)
    {
        var hold = new TaskCompletionSource();
        await using var silos = new Silos(1) { AtEnd = () => hold.TrySetResult() };
        Talk(silos);
        var turn = TurnOf(4, "c1");
        silos[0].Store.BeforeCommit = _ => hold.Task;
        var shown = new List<TurnEvent>();
        var made = new TaskCompletionSource();
        var first = silos.FollowAsync(turn, silos[0], e =>
        {
            shown.Add(e);
            if (shown.Count(s => s is ChoiceFinished) == 3)
                made.TrySetResult();
        });
        await made.Task;
        var seen = shown.ToList();
        var at = seen.FindLastIndex(e => e is TurnDelta delta && delta.Choice == choice);
        seen[at] = (TurnDelta)seen[at] with { Text = "other" };
        var last = (await silos.FollowAsync(turn, silos[0], shown: seen))[^1];
        Assert.Equal(TurnError.ConversationMoved, Assert.IsType<TurnFailed>(last).Failure.Error);
        var same = silos.FollowAsync(turn, silos[0], shown: [.. shown]);
        hold.SetResult();
        Assert.IsType<TurnFinished>((await same)[^1]);
        await first;
    }

    /// <summary>Choices that run side by side come in any order: the events of another run are no rest of those of the first.</summary>
    [Fact]
    public async Task AfterADeadOwnerSeveralChoicesCannotBeResumedByNumberAlone()
    {
        await using var silos = new Silos(2);
        Talk(silos);
        silos[0].Engine.BeforeToken = (r, i) => i < 3 ? Task.CompletedTask : UntilCancelledAsync(r);
        var begun = new TaskCompletionSource();
        _ = silos.FollowAsync(TurnOf(4, "c1"), silos[0], _ => begun.TrySetResult());
        await begun.Task;
        silos.Declare(silos[0], isGone: true);
        var whole = await AttachAsync(silos[1], 0);
        Assert.True(Assert.IsType<TurnStarted>(whole[0]).IsAnew);
        Assert.IsType<TurnFinished>(whole[^1]);
        var rest = await AttachAsync(silos[1], 5);
        Assert.Equal(TurnError.ConversationMoved, Assert.IsType<TurnFailed>(Assert.Single(rest)).Failure.Error);
    }

    [Fact]
    public async Task WithoutASeedTheReplyIsTheSameOnEverySilo()
    {
        var hold = new TaskCompletionSource();
        await using var silos = new Silos(2) { AtEnd = () => hold.TrySetResult() };
        Talk(silos);
        var turn = Turn("t1", "hi");
        silos[0].Store.BeforeCommit = _ => hold.Task;
        var shown = new List<TurnEvent>();
        var enough = new TaskCompletionSource();
        _ = silos.FollowAsync(turn, silos[0], e =>
        {
            shown.Add(e);
            if (e is ChoiceFinished)
                enough.SetResult();
        });
        await enough.Task;
        silos.Declare(silos[0], isGone: true);
        var events = await silos.FollowAsync(turn, silos[1]);
        Assert.Equal(TextOf(shown), TextOf(events));
        Assert.Equal(((TurnStarted)shown[0]).Created, ((TurnStarted)events[0]).Created);
    }

    [Fact]
    public async Task ATurnOfADeadOwnerIsAttachedToByItsIdAlone()
    {
        await using var silos = new Silos(2);
        Talk(silos);
        var turn = TurnOf(1, "c1");
        var baseline = await silos.FollowAsync(turn with { Conversation = new ConversationId("b") }, silos[1]);
        silos[0].Engine.BeforeToken = (r, i) => i < 3 ? Task.CompletedTask : UntilCancelledAsync(r);
        var begun = new TaskCompletionSource();
        _ = silos.FollowAsync(turn, silos[0], _ => begun.TrySetResult());
        await begun.Task;
        Assert.Equal(TurnError.Moved, Assert.IsType<TurnFailed>(
            (await AttachAsync(silos[1], 0))[^1]).Failure.Error);
        silos.Declare(silos[0], isGone: true);
        for (var from = 0; from <= baseline.Count; from++)
            Same(baseline[from..], await AttachAsync(silos[1], from));
        Assert.Equal(TurnError.ConversationNotFound, Assert.IsType<TurnFailed>(
            (await AttachAsync(silos[1], 0, "none"))[^1]).Failure.Error);
    }

    [Fact]
    public async Task APendingTurnOfADeadOwnerIsCancelledByWhoAsksForThat()
    {
        await using var silos = new Silos(2);
        Talk(silos);
        silos[0].Engine.BeforeToken = (r, _) => UntilCancelledAsync(r);
        var begun = new TaskCompletionSource();
        _ = silos.FollowAsync(TurnOf(0, "c1"), silos[0], _ => begun.TrySetResult());
        await begun.Task;
        silos.Declare(silos[0], isGone: true);
        Assert.True(await CancelAsync());
        Assert.False(await CancelAsync());
        Assert.Equal(TurnError.Cancelled, Assert.IsType<TurnFailed>((await AttachAsync(silos[1], 0))[^1]).Failure.Error);

        async Task<bool> CancelAsync() =>
            await silos[1].Cluster.CancelTurnAsync(TenantId.Local, new ConversationId("c1"), new TurnId("t1"), Stop);
    }

    internal static void Talk(Silos silos, int length = 12)
    {
        foreach (var silo in silos.All)
            silo.Engine.Script = new Babble(silo.Model.Tokenizer, silo.Engine.Model.EosTokens[0], length).Reply;
    }

    internal static ChatTurn TurnOf(int option, string conversation, string id = "t1") =>
        Turn(id, "hi", conversation: conversation) with { Generation = Options[option] };

    /// <summary>The same text, tokens and endings of each choice, in the same pieces; of one choice also in the same order.</summary>
    internal static void Same(IReadOnlyList<TurnEvent> expected, IReadOnlyList<TurnEvent> actual)
    {
        Assert.Equal(expected.Count, actual.Count);
        Assert.Equal(expected.Select(e => e.Sequence), actual.Select(e => e.Sequence));
        for (var choice = -1; choice < 3; choice++)
            Assert.Equal(Of(expected, choice), Of(actual, choice));

        static IEnumerable<string> Of(IReadOnlyList<TurnEvent> events, int choice) => events
            .Where(e => choice == (e is TurnDelta d ? d.Choice : e is ChoiceFinished f ? f.Choice : -1))
            .Select(e => Form(e with { Sequence = 0 }));
    }

    /// <summary>What must be the same whichever silo made it.</summary>
    static string Form(TurnEvent e) => JsonSerializer.Serialize(e switch
    {
        TurnStarted started => started with
        {
            Silo = "",
            Cache = CacheOrigin.New,
            CachedTokens = 0,
            CacheReason = null,
            IsAnew = false,
            Created = default,
            Conversation = new ConversationId("c"),
        },
        TurnFinished finished => finished with { Usage = finished.Usage with { CachedTokens = 0 }, Replayed = false },
        _ => e,
    }, ContractsJson.Default.TurnEvent);

    static async Task<List<TurnEvent>> AttachAsync(Silos.OneSilo silo, int from, string turn = "t1")
    {
        var events = new List<TurnEvent>();
        await foreach (var e in silo.Cluster.AttachTurnAsync(
            TenantId.Local, new ConversationId("c1"), new TurnId(turn), from, Stop))
        {
            events.Add(e);
        }
        return events;
    }
}
