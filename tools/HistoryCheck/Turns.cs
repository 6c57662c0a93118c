using System.Text.Json;

namespace Hearth.HistoryCheck;

/// <summary>INV-10, INV-11 and INV-12: what becomes of a turn.</summary>
static class Turns
{
    const double NanosecondsPerSecond = 1e9;

    public static Verdict AcknowledgedTurnsAreKept(History history, TimeSpan lostAfterRestart)
    {
        var findings = new Findings("INV-10", "an acknowledged turn is kept, with the text that the client has");
        foreach (var stream in history.Streams.Where(s => s.Acknowledged))
        {
            var told = stream.End!.Nanoseconds;
            if (!history.Dumped.TryGetValue(stream.Grain, out var dump))
            {
                findings.Check(false, "the dump lacks a conversation that has an acknowledged turn", stream.Send, stream.End);
                continue;
            }
            if (Deleted(dump))
                continue;
            var stored = Stored(dump).Where(t => t.GetProperty("turn").GetString() == stream.Turn).ToList();
            var kept = stored is [var only] && only.GetProperty("status").GetString() == "committed";
            var soon = lostAfterRestart > TimeSpan.Zero && history.Restarts.Any(r => told <= r.Before
                && told >= r.After - lostAfterRestart.TotalSeconds * NanosecondsPerSecond);
            if (!kept && (soon || WasRolledBack(history, stream)))
            {
                findings.Note($"{stream.Grain} lost the acknowledged turn {stream.Turn} when the store came back");
                continue;
            }
            findings.Check(kept, $"{stream.Grain} has lost the acknowledged turn {stream.Turn}", stream.Send, stream.End, dump);
            if (kept)
            {
                findings.Check(stored[0].GetProperty("text").GetString() == stream.Text,
                    $"turn {stream.Turn} is stored with another text", stream.End, dump);
            }
        }
        return findings.Verdict;
    }

    public static Verdict NoHalfTurns(History history)
    {
        var findings = new Findings("INV-11", "turns end; only committed ones are in the transcript, and whole");
        foreach (var (grain, dump) in history.Dumped)
        {
            if (Deleted(dump))
                continue;
            var log = dump.List("log").Select(e => e.GetProperty("hash").GetString()!).ToList();
            var commits = history.Calls.Where(c => c.Op == "commit" && c.Grain == grain).ToList();
            foreach (var turn in Stored(dump))
            {
                var (id, status) = (turn.GetProperty("turn").GetString(), turn.GetProperty("status").GetString());
                if (status == "pending" && LostItsEnd(history, grain, id))
                    findings.Note($"{grain} has turn {id} as pending again, whose end was lost when the store came back");
                else
                    findings.Check(status is "committed" or "failed" or "cancelled", $"turn {id} of {grain} has not ended", dump);
                var tries = commits.Where(c => c.Turn == id && c.MayHaveWritten).ToList();
                var found = tries.Count(c => Contains(log, c.Entries));
                if (status == "committed")
                {
                    var cut = commits.Any(c => c.MayHaveWritten && tries.Any(t => c.Begun > t.Begun && c.Call.Number("keep") < End(t)));
                    findings.Check(tries.Count == 0 || found > 0 || cut, $"turn {id} of {grain} is committed and not in the transcript",
                        [dump, .. tries]);
                }
                else
                {
                    findings.Check(found == 0, $"turn {id} of {grain} is {status} and in the transcript", [dump, .. tries]);
                }
            }
            findings.Check(dump.List("log").Count == 0 || commits.Count == 0 || log.All(commits.SelectMany(c => c.Entries).ToHashSet().Contains),
                $"{grain} holds an entry that nobody committed", dump);
        }
        return findings.Verdict;
    }

    public static Verdict Idempotent(History history)
    {
        var findings = new Findings("INV-12", "a turn is committed once, with one body and one reply for all");
        var commits = Ownership.Commits(history).Where(c => c.Turn.Length > 0).GroupBy(c => (c.Grain, c.Turn));
        foreach (var turn in commits)
        {
            var all = turn.ToList();
            findings.Check(all.Count == 1 || history.RestartedBetween(all[0].Begun, all[^1].Ended),
                $"turn {turn.Key.Turn} of {turn.Key.Grain} was committed {all.Count} times", all);
            findings.Check(all.Select(c => c.Call.Text("body_hash")).Distinct().Count() == 1,
                $"turn {turn.Key.Turn} of {turn.Key.Grain} was committed with two bodies", all);
        }
        foreach (var (grain, dump) in history.Dumped)
        {
            foreach (var id in Stored(dump).GroupBy(t => t.GetProperty("turn").GetString()))
                findings.Check(id.Count() == 1, $"turn {id.Key} of {grain} is stored twice", dump);
        }
        foreach (var turn in history.Streams.Where(s => s.Acknowledged).GroupBy(s => (s.Grain, s.Turn)))
        {
            var other = turn.FirstOrDefault(s => s.Text != turn.First().Text || s.Send.Text("body") != turn.First().Send.Text("body"));
            findings.Check(other is null, $"turn {turn.Key.Turn} of {turn.Key.Grain} was acknowledged with two replies or bodies",
                turn.First().Send, turn.First().End, other?.Send, other?.End);
        }
        return findings.Verdict;
    }

    public static IEnumerable<JsonElement> Stored(HistoryLine dump) => dump.List("turns");

    public static bool Deleted(HistoryLine dump) =>
        dump.Json.TryGetProperty("deleted", out var deleted) && deleted.ValueKind == JsonValueKind.True;

    /// <summary>Its last commit was before a moment at which the store went back, and may have come after what it went back to. When
    /// the client heard of it says nothing: that may have been later.</summary>
    static bool WasRolledBack(History history, ClientStream stream)
    {
        var commits = history.Calls.Where(c => c.Op == "commit" && c.Grain == stream.Grain && c.Turn == stream.Turn && c.MayHaveWritten).ToList();
        return history.Rollbacks.Any(r => commits.All(c => c.Begun <= r.At)
            && commits.Any(c => c.Outcome == "unknown" || c.Ended >= r.WholeUntil));
    }

    static bool LostItsEnd(History history, string grain, string? turn) => history.Calls.Any(c => c.Grain == grain && c.Turn == turn
        && c is { Op: "commit" or "end", MayHaveWritten: true } && history.Restarts.Any(r => c.Begun <= r.Before));

    static long End(StoreCall commit) => commit.Call.Number("keep") + commit.Entries.Count;

    static bool Contains(List<string> log, IReadOnlyList<string> entries)
    {
        if (entries.Count == 0)
            return false;
        for (var i = 0; i + entries.Count <= log.Count; i++)
        {
            if (log.Skip(i).Take(entries.Count).SequenceEqual(entries))
                return true;
        }
        return false;
    }
}
