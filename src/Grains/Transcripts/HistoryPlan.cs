using Hearth.Contracts;

namespace Hearth.Grains.Transcripts;

/// <summary>What a turn makes of the history that the grain holds.</summary>
/// <param name="Keep">Entries that stay.</param>
/// <param name="Added">Items that follow them, before the reply.</param>
sealed record HistoryPlan(int Keep, IReadOnlyList<ConversationItem> Added)
{
    /// <exception cref="TurnFailedException">The conversation was found by a history that it no longer has.</exception>
    public static HistoryPlan For(ChatTurn turn, IReadOnlyList<ConversationItem> held)
    {
        if (turn.History == HistoryMode.Append)
            return new HistoryPlan(held.Count, turn.Items);
        var (keep, used) = CommonPart(held, turn.Items);
        if (turn.History == HistoryMode.WholeFound && (keep != held.Count || used != LengthToLastReply(turn.Items)))
        {
            throw new TurnFailedException(TurnError.ConversationMoved,
                "The conversation that this history led to has moved on. Send the turn again as a new conversation.");
        }
        return new HistoryPlan(keep, [.. turn.Items.Skip(used)]);
    }

    /// <summary>Entries and items that are the same from the start. Reasoning is passed over: clients do not send it.</summary>
    static (int Held, int Given) CommonPart(IReadOnlyList<ConversationItem> held, IReadOnlyList<ConversationItem> given)
    {
        var (keep, used) = (0, 0);
        for (var i = 0; i < held.Count && used < given.Count; i++)
        {
            if (held[i] is ReasoningItem && given[used] is not ReasoningItem)
                continue;
            if (!Same(held[i], given[used]))
                break;
            (keep, used) = (i + 1, used + 1);
        }
        return (keep, used);
    }

    static int LengthToLastReply(IReadOnlyList<ConversationItem> items)
    {
        var length = items.Count;
        while (length > 0 && items[length - 1] is not (MessageItem { Role: Role.Assistant } or FunctionCallItem))
            length--;
        return length;
    }

    static bool Same(ConversationItem a, ConversationItem b) => (a, b) switch
    {
        (MessageItem x, MessageItem y) => x.Role == y.Role && x.Name == y.Name && x.Text == y.Text,
        (FunctionCallItem x, FunctionCallItem y) => (x.CallId, x.Name, x.Arguments) == (y.CallId, y.Name, y.Arguments),
        (FunctionCallOutputItem x, FunctionCallOutputItem y) => (x.CallId, x.Output) == (y.CallId, y.Output),
        (ReasoningItem x, ReasoningItem y) => x.Text == y.Text,
        _ => false,
    };
}
