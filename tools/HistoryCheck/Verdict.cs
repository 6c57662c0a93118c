namespace Hearth.HistoryCheck;

/// <summary>What a check found.</summary>
/// <param name="Checked">Events that were judged.</param>
/// <param name="Violations">What must not have happened, with the lines at fault.</param>
/// <param name="Notes">What people should know and is allowed.</param>
sealed record Verdict(
    string Id, string Title, int Checked, IReadOnlyList<string> Violations, IReadOnlyList<string> Notes);

/// <summary>Collects a check's findings.</summary>
sealed class Findings(string id, string title)
{
    readonly List<string> _violations = [];
    readonly List<string> _notes = [];
    int _checked;

    /// <param name="wrong">What to say if it does not hold.</param>
    /// <param name="lines">The lines at fault.</param>
    public void Check(bool holds, string wrong, params IEnumerable<object?> lines)
    {
        _checked++;
        if (!holds)
            _violations.Add(string.Join("\n  ", lines.Where(l => l is not null).Select(l => l!.ToString()).Prepend(wrong)));
    }

    public void Note(string note) => _notes.Add(note);

    public Verdict Verdict => new(id, title, _checked, _violations, _notes);
}

static class Checks
{
    /// <param name="lostAfterRestart">How long before a rollback of the store an acknowledged turn may be lost.</param>
    public static IReadOnlyList<Verdict> All(History history, TimeSpan lostAfterRestart) =>
    [
        Ownership.SingleWriter(history),
        Ownership.ZombiesCannotWrite(history),
        Membership.ViewsAreOrdered(history),
        Ownership.RollbackIsSafe(history),
        Turns.AcknowledgedTurnsAreKept(history, lostAfterRestart),
        Turns.NoHalfTurns(history),
        Turns.Idempotent(history),
        Order.Serial(history),
        Replies.EqualToBaseline(history),
        Replies.StreamsHaveNoGap(history),
    ];
}
