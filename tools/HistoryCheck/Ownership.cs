namespace Hearth.HistoryCheck;

/// <summary>INV-01, INV-02 and INV-08: one writer.</summary>
static class Ownership
{
    static readonly string[] _fenced = ["begin", "commit", "end", "release", "publish", "hand_over"];

    public static Verdict SingleWriter(History history)
    {
        var findings = new Findings("INV-01", "one epoch is one activation, commits never go back an epoch");
        foreach (var epoch in history.Grants.GroupBy(g => (g.Grain, g.Epoch)))
        {
            var grants = epoch.OrderBy(g => g.Call.Begun).ToList();
            for (var i = 1; i < grants.Count; i++)
            {
                findings.Check(history.RestartedBetween(grants[i - 1].Call.Begun, grants[i].Call.Ended),
                    $"epoch {epoch.Key.Epoch} of {epoch.Key.Grain} was granted twice", grants[i - 1].Call, grants[i].Call);
            }
        }
        foreach (var grain in Commits(history).GroupBy(c => c.Grain))
        {
            StoreCall? before = null;
            foreach (var commit in grain.OrderBy(c => c.Answer!.Nanoseconds))
            {
                // Two whose times overlap may have been taken in either order.
                var ordered = before is not null && before.Ended < commit.Begun;
                findings.Check(!ordered || commit.Epoch >= before!.Epoch || history.RestartedBetween(before.Begun, commit.Ended),
                    $"a commit of {grain.Key} has an older epoch than the one before it", before, commit);
                before = commit;
            }
        }
        return findings.Verdict;
    }

    public static Verdict ZombiesCannotWrite(History history)
    {
        var findings = new Findings("INV-02", "nothing is written under a fence that a newer grant has replaced");
        var grants = history.Grants.ToLookup(g => g.Grain);
        foreach (var call in history.Calls.Where(c => _fenced.Contains(c.Op)))
        {
            var newer = grants[call.Grain].FirstOrDefault(g => g.Call.Ended < call.Begun && g.Activation != call.Activation
                && g.Epoch >= call.Epoch && !history.RestartedBetween(g.Call.Begun, call.Ended));
            findings.Check(newer is null || !Accepted(call), $"a former owner of {call.Grain} wrote", newer?.Call, call);
        }
        return findings.Verdict;
    }

    public static Verdict RollbackIsSafe(History history)
    {
        var findings = new Findings("INV-08", "(epoch, activation) is granted once");
        foreach (var pair in history.Grants.GroupBy(g => (g.Grain, g.Epoch, g.Activation)))
        {
            findings.Check(pair.Count() == 1, $"epoch {pair.Key.Epoch} of {pair.Key.Grain} was granted to one activation twice",
                pair.Select(g => g.Call));
        }
        foreach (var activation in history.Grants.GroupBy(g => (g.Grain, g.Activation)))
        {
            findings.Check(activation.Select(g => g.Silo).Distinct().Count() == 1,
                $"activation {activation.Key.Activation} of {activation.Key.Grain} lives on two silos", activation.Select(g => g.Call));
        }
        foreach (var (after, before) in history.Restarts)
            findings.Note($"the store became another incarnation between {after} and {before} ns");
        return findings.Verdict;
    }

    /// <summary>Commits that the store said it has done.</summary>
    public static IEnumerable<StoreCall> Commits(History history) =>
        history.Calls.Where(c => c is { Op: "commit", Outcome: "done" });

    static bool Accepted(StoreCall call) => call.Op switch
    {
        "begin" => call.Outcome is "begun" or "taken_over" or "pending",
        "commit" or "end" or "release" => call.Outcome == "done",
        "publish" => call.Outcome == "published",
        _ => call.Outcome == "acquired",
    };
}
