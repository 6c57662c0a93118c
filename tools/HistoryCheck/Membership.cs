using System.Text.Json;

namespace Hearth.HistoryCheck;

/// <summary>INV-05: the table of silos.</summary>
static class Membership
{
    static readonly string[] _order = ["joining", "active", "draining", "dead"];

    public static Verdict ViewsAreOrdered(History history)
    {
        var findings = new Findings("INV-05", "one version is one table, versions only go up, dead is for ever");
        var views = history.Others.Where(o => o.Op == "view").ToList();
        foreach (var incarnation in views.GroupBy(v => v.Text("incarnation")))
        {
            var versions = incarnation.GroupBy(v => v.Number("version")).OrderBy(g => g.Key).ToList();
            foreach (var version in versions)
            {
                var first = version.First();
                var other = version.FirstOrDefault(v => !Same(Silos(v), Silos(first)));
                findings.Check(other is null, $"two tables have version {version.Key}", first, other);
            }
            for (var i = 1; i < versions.Count; i++)
                CheckStep(findings, versions[i - 1].First(), versions[i].First());
        }
        // Each process reads one view after the other and writes down only those that are new to it.
        foreach (var process in views.GroupBy(v => (v.Process, Incarnation: v.Text("incarnation"))))
        {
            foreach (var (before, after) in process.Zip(process.Skip(1)))
            {
                findings.Check(after.Number("version") > before.Number("version"),
                    $"{process.Key.Process} went back to an older view", before, after);
            }
        }
        CheckCount(findings, history);
        return findings.Verdict;
    }

    static void CheckStep(Findings findings, HistoryLine before, HistoryLine after)
    {
        var (old, now) = (Silos(before), Silos(after));
        foreach (var (silo, status) in now)
        {
            findings.Check(!old.TryGetValue(silo, out var was) || Array.IndexOf(_order, status) >= Array.IndexOf(_order, was),
                $"{silo} went back to {status}", before, after);
        }
        // Rows of the dead are pruned, any number with one change.
        var changes = now.Count(s => old.GetValueOrDefault(s.Key) != s.Value);
        findings.Check(changes <= after.Number("version") - before.Number("version"),
            $"{changes} changes of the table made {after.Number("version") - before.Number("version")} versions", before, after);
        findings.Check(old.All(s => s.Value == "dead" || now.ContainsKey(s.Key)), "a silo that was not dead is gone", before, after);
    }

    /// <summary>Every change that a process made is a version of its own; only an only incarnation can be counted.</summary>
    static void CheckCount(Findings findings, History history)
    {
        if (history.Restarts.Count > 0 || history.Others.FindLast(o => o.Op == "dump_members") is not { } dump)
            return;
        var made = history.Calls.Count(c => c is { Op: "join" or "set_status" or "declare_dead", Outcome: "done" });
        findings.Check(dump.Number("version") >= made, $"{made} changes were made, and the table has version {dump.Number("version")}", dump);
    }

    static Dictionary<string, string> Silos(HistoryLine view) =>
        view.Json.TryGetProperty("silos", out var silos) && silos.ValueKind == JsonValueKind.Object
            ? silos.EnumerateObject().ToDictionary(s => s.Name, s => s.Value.GetString()!)
            : [];

    static bool Same(Dictionary<string, string> a, Dictionary<string, string> b) =>
        a.Count == b.Count && a.All(s => b.GetValueOrDefault(s.Key) == s.Value);
}
