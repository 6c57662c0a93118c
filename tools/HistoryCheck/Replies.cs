namespace Hearth.HistoryCheck;

/// <summary>INV-17 and INV-26: what clients see of replies.</summary>
static class Replies
{
    public static Verdict EqualToBaseline(History history)
    {
        var findings = new Findings("INV-17", "a reply is that of an undisturbed run, wherever it was made");
        var baselines = history.Others.Where(o => o.Op == "baseline")
            .GroupBy(o => (o.Text("grain"), o.Text("turn"))).ToDictionary(g => g.Key, g => g.First());
        foreach (var stream in history.Streams)
        {
            if (!baselines.TryGetValue((stream.Grain, stream.Turn), out var baseline))
                continue;
            var expected = baseline.Text("text");
            if (stream.Acknowledged)
                findings.Check(stream.Text == expected, $"turn {stream.Turn} has another text than undisturbed", baseline, stream.End);
        }
        foreach (var move in history.Calls.Where(c => c is { Op: "hand_over", Outcome: "acquired", Turn.Length: > 0 }))
        {
            var early = Ownership.Commits(history).FirstOrDefault(c => c.Grain == move.Grain && c.Turn == move.Turn
                && c.Epoch < move.Answer!.Number("granted") && c.Begun > move.Ended && !history.RestartedBetween(move.Begun, c.Ended));
            findings.Check(early is null, $"turn {move.Turn} was handed over, and committed by its former owner", move, early);
        }
        return findings.Verdict;
    }

    public static Verdict StreamsHaveNoGap(History history)
    {
        var findings = new Findings("INV-26", "event numbers have no gap, and one number is one event");
        foreach (var turn in history.Streams.GroupBy(s => (s.Grain, s.Turn, s.Send.Process)))
        {
            // A stream from the first event on may be another run of the turn; one that is resumed goes on with the same.
            var known = new Dictionary<long, HistoryLine>();
            foreach (var stream in turn)
            {
                if (stream.Send.Number("from") <= 0)
                    known.Clear();
                CheckStream(findings, stream, known);
                if (stream.Acknowledged)
                    CheckWhole(findings, stream, known);
            }
        }
        return findings.Verdict;
    }

    static void CheckStream(Findings findings, ClientStream stream, Dictionary<long, HistoryLine> known)
    {
        var next = Math.Max(0, stream.Send.Number("from"));
        foreach (var e in stream.Events.Where(e => e.Number("number") >= 0 && e.Text("kind") != "failed"))
        {
            var number = e.Number("number");
            if (!stream.IsSparse)
            {
                findings.Check(number == next, $"event {next} of turn {stream.Turn} should have come", stream.Send, e);
            }
            else
            {
                findings.Check(number >= next, $"event {number} of turn {stream.Turn} came again", stream.Send, e);
                for (; next < number; next++)
                    findings.Check(!known.ContainsKey(next), $"event {next} of turn {stream.Turn} should have come", known.GetValueOrDefault(next), e);
            }
            next = number + 1;
            var first = known.TryAdd(e.Number("number"), e) ? e : known[e.Number("number")];
            findings.Check((first.Text("kind"), first.Text("text")) == (e.Text("kind"), e.Text("text")),
                $"event {e.Number("number")} of turn {stream.Turn} was seen as two", first, e);
        }
    }

    /// <summary>All events of the streams together are the reply.</summary>
    static void CheckWhole(Findings findings, ClientStream done, Dictionary<long, HistoryLine> known)
    {
        if (known.Count == 0)
            return;
        findings.Check(done.IsSparse || known.Count == known.Keys.Max() + 1, $"turn {done.Turn} was acknowledged without all its events", done.Send, done.End);
        var text = string.Concat(known.OrderBy(e => e.Key).Select(e => e.Value.Text("text")));
        findings.Check(text == done.Text, $"the events of turn {done.Turn} are not its reply", done.Send, done.End);
    }
}
