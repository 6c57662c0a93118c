namespace Hearth.HistoryCheck;

/// <summary>INV-13: a conversation is one sequence.</summary>
static class Order
{
    public static Verdict Serial(History history)
    {
        var findings = new Findings("INV-13", "commits follow each other, and in the order that clients can tell");
        foreach (var grain in Ownership.Commits(history).GroupBy(c => c.Grain))
        {
            CheckChain(findings, history, [.. grain.OrderBy(c => c.Begun)]);
            CheckTold(findings, history, grain.Key, [.. grain.Where(c => c.Turn.Length > 0)]);
        }
        CheckReads(findings, history);
        return findings.Verdict;
    }

    /// <summary>Each commit begins where the one before it ended: between the two only what is unknown can have come. An owner commits one
    /// after the other, and the next owner only after it: so they were done in the order in which they were begun, whenever their answers
    /// were heard.</summary>
    static void CheckChain(Findings findings, History history, List<StoreCall> commits)
    {
        for (var i = 1; i < commits.Count; i++)
        {
            var (before, now) = (commits[i - 1], commits[i]);
            var unknown = history.Calls.Any(c => c.Op == "commit" && c.Grain == now.Grain && c.Outcome is "unknown" or "duplicate"
                && c.Begun < now.Ended);
            findings.Check(now.Call.Number("expected") == before.Answer!.Number("length") || before.Ended >= now.Begun || unknown
                || history.RestartedBetween(before.Begun, now.Ended),
                $"a commit of {now.Grain} does not follow the one before it", before, now);
        }
    }

    /// <summary>A turn that was acknowledged before another was first sent was committed before it.</summary>
    static void CheckTold(Findings findings, History history, string grain, List<StoreCall> commits)
    {
        var streams = history.Streams.Where(s => s.Grain == grain).ToList();
        var sent = streams.GroupBy(s => s.Turn).ToDictionary(g => g.Key, g => g.MinBy(s => s.Send.Nanoseconds)!);
        var told = streams.Where(s => s.Acknowledged).GroupBy(s => s.Turn).ToDictionary(g => g.Key, g => g.MinBy(s => s.End!.Nanoseconds)!);
        var place = commits.GroupBy(c => c.Turn).ToDictionary(g => g.Key, g => g.First());
        foreach (var (turn, acknowledged) in told.Where(t => place.ContainsKey(t.Key)))
        {
            foreach (var later in sent.Values.Where(s => s.Send.Nanoseconds > acknowledged.End!.Nanoseconds && place.ContainsKey(s.Turn)))
            {
                var (a, b) = (place[turn], place[later.Turn]);
                findings.Check(b.Call.Number("expected") >= a.Answer!.Number("length") || b.Call.Number("keep") < a.Call.Number("expected")
                    || history.RestartedBetween(a.Begun, b.Ended),
                    $"turn {turn} of {grain} was acknowledged before {later.Turn} was sent, and does not come before it",
                    acknowledged.End, later.Send, a, b);
            }
        }
    }

    static void CheckReads(Findings findings, History history)
    {
        foreach (var read in history.Others.Where(o => o.Op == "read" && o.Number("turns") >= 0))
        {
            var begun = read.Number("begun");
            var known = history.Streams.Where(s => s.Grain == read.Text("grain") && s.Acknowledged && s.End!.Nanoseconds < begun)
                .Select(s => s.Turn).Distinct().Count();
            findings.Check(read.Number("turns") >= known || history.RestartedBetween(0, read.Nanoseconds),
                $"a read shows {read.Number("turns")} turns after {known} were acknowledged", read);
        }
    }
}
