using System.Runtime.CompilerServices;
using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary>Turns as one stream of events, where that takes more than one call to the cluster.</summary>
static class TurnStreams
{
    /// <summary>Runs the turn; if the conversation found by its history has moved on meanwhile, once more as a new one.</summary>
    public static IAsyncEnumerable<TurnEvent> RunAsync(ICluster cluster, ChatTurn turn) =>
        turn.History == HistoryMode.WholeFound
            ? RunFoundAsync(cluster, turn) : cluster.RunTurnAsync(turn, CancellationToken.None);

    static async IAsyncEnumerable<TurnEvent> RunFoundAsync(ICluster cluster, ChatTurn turn,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var moved = false;
        var first = true;
        await foreach (var happened in cluster.RunTurnAsync(turn, cancellationToken).WithCancellation(cancellationToken))
        {
            moved = first && happened is TurnFailed { Failure.Error: TurnError.ConversationMoved };
            if (moved)
            {
                break;
            }
            first = false;
            yield return happened;
        }
        if (!moved)
        {
            yield break;
        }
        var anew = turn with { Conversation = ConversationFinder.New(), History = HistoryMode.Whole };
        await foreach (var happened in cluster.RunTurnAsync(anew, cancellationToken).WithCancellation(cancellationToken))
        {
            yield return happened;
        }
    }

    /// <summary>Runs the prompts one after the other as if they were one turn: choices are counted on,
    /// usage is summed up.</summary>
    public static async IAsyncEnumerable<TurnEvent> RunAsync(ICluster cluster, IReadOnlyList<CompletionTurn> turns,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var usage = new Usage(0, 0, 0);
        for (var i = 0; i < turns.Count; i++)
        {
            var offset = i * turns[i].Generation.Choices;
            var finished = false;
            var events = cluster.RunCompletionAsync(turns[i], cancellationToken);
            await foreach (var happened in events.WithCancellation(cancellationToken))
            {
                switch (happened)
                {
                    case TurnStarted when i > 0:
                        break;
                    case TurnDelta delta:
                        yield return delta with { Choice = delta.Choice + offset };
                        break;
                    case ChoiceFinished choice:
                        yield return choice with { Choice = choice.Choice + offset };
                        break;
                    case TurnFinished done:
                        finished = true;
                        usage = new Usage(usage.PromptTokens + done.Usage.PromptTokens,
                            usage.CompletionTokens + done.Usage.CompletionTokens, usage.CachedTokens + done.Usage.CachedTokens);
                        break;
                    default:
                        yield return happened;
                        break;
                }
            }
            if (!finished)
            {
                yield break;
            }
        }
        yield return new TurnFinished { Usage = usage };
    }
}
