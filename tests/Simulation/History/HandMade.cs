using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.HistoryCheck;
using Xunit;

namespace Hearth.Simulation.Tests.History;

/// <summary>A history written by hand: every line one nanosecond after the one before it.</summary>
sealed class HandMade
{
    public const string Grain = "local/c1";

    readonly Dictionary<string, List<string>> _files = [];
    readonly JsonArray _log = [];
    readonly JsonArray _turns = [];
    int _calls;
    int _streams;
    long _now;

    /// <summary>A conversation of two turns on two silos, without a fault.</summary>
    public static HandMade Sound()
    {
        var h = new HandMade();
        h.View("s1", "i", 1, "s1", "joining").View("s1", "i", 2, "s1", "active").View("s2", "i", 2, "s1", "active");
        h.Grant("s1", 1, "a").Begin("s1", 1, "a", "t1").Commit("s1", 1, "a", "t1", 0, 0, ["u1", "r1"], 2);
        var stream = h.Send("t1");
        h.Event(stream, 0, "started", "").Event(stream, 1, "delta", "he").Event(stream, 2, "delta", "llo");
        h.Event(stream, 3, "finished", "").Acknowledge(stream, "hello").Baseline("t1", "hello");
        h.Line("c", "read", ("grain", Grain), ("begun", h._now), ("turns", 1));
        h.Call("s1", "hand_over", "acquired", [("epoch", 1), ("activation", "a"), ("to_silo", "s2"), ("to_activation", "b")],
            [("granted", 2)]);
        var second = h.Send("t2");
        h.Begin("s2", 2, "b", "t2").Commit("s2", 2, "b", "t2", 2, 2, ["u2", "r2"], 4).Acknowledge(second, "fine");
        h.Commit("s1", 1, "a", "t9", 2, 2, ["x"], 0, "fenced");
        return h.Keep("t1", "committed", "hello", "u1", "r1").Keep("t2", "committed", "fine", "u2", "r2");
    }

    public HandMade Grant(string silo, int epoch, string activation) =>
        Call(silo, "acquire", "acquired", [("silo", silo), ("activation", activation)], [("granted", epoch)]);

    public HandMade Begin(string silo, int epoch, string activation, string turn, string outcome = "begun") => Call(silo, "begin",
        outcome, [("epoch", epoch), ("activation", activation), ("turn", turn), ("body_hash", "h")], []);

    public HandMade Commit(string silo, int epoch, string activation, string turn, int expected, int keep, string[] entries,
        int length, string outcome = "done", string body = "h") => Call(silo, "commit", outcome,
        [("epoch", epoch), ("activation", activation), ("turn", turn), ("body_hash", body), ("expected", expected), ("keep", keep),
            ("entries", entries)], [("length", length)]);

    public HandMade View(string process, string incarnation, int version, params string[] silos) => Line(process, "view",
        ("incarnation", incarnation), ("version", version), ("silos", silos.Chunk(2).ToDictionary(s => s[0], s => s[1])));

    public int Send(string turn, int from = 0, string body = "b", bool sparse = false)
    {
        Line("c", "send", ("stream", ++_streams), ("grain", Grain), ("turn", turn), ("body", body), ("via", "g1"), ("from", from),
            ("sparse", sparse));
        return _streams;
    }

    public HandMade Event(int stream, int number, string kind, string text) =>
        Line("c", "event", ("stream", stream), ("number", number), ("kind", kind), ("text", text));

    public HandMade Acknowledge(int stream, string text) =>
        Line("c", "end", ("stream", stream), ("outcome", "finished"), ("text", text));

    public HandMade Baseline(string turn, string text) => Line("c", "baseline", ("grain", Grain), ("turn", turn), ("text", text));

    /// <summary>What the dump has of a turn.</summary>
    public HandMade Keep(string turn, string status, string text, params string[] entries)
    {
        foreach (var entry in entries)
            _log.Add(new JsonObject { ["hash"] = entry });
        _turns.Add(new JsonObject { ["turn"] = turn, ["status"] = status, ["text"] = text });
        return this;
    }

    public HandMade Line(string process, string op, params ReadOnlySpan<(string Name, object Value)> fields)
    {
        var line = new JsonObject { ["ns"] = ++_now, ["process"] = process, ["op"] = op };
        foreach (var (name, value) in fields)
            line[name] = JsonSerializer.SerializeToNode(value);
        if (!_files.TryGetValue(process, out var lines))
            _files.Add(process, lines = []);
        lines.Add(line.ToJsonString());
        return this;
    }

    public HandMade Call(string process, string op, string outcome, (string, object)[] request, (string, object)[] answer)
    {
        var call = ++_calls;
        Line(process, op, [("call", call), ("grain", Grain), .. request]);
        return Line(process, op, [("answer", call), ("outcome", outcome), .. answer]);
    }

    public IReadOnlyList<Verdict> Judge(double lostAfterRestart = 0)
    {
        Line("dump", "dump", ("grain", Grain), ("log", _log), ("turns", _turns));
        var history = new HistoryCheck.History(_files.Select(f => (f.Key, (IReadOnlyList<string>)f.Value)));
        return Checks.All(history, TimeSpan.FromSeconds(lostAfterRestart));
    }

    /// <summary>That this invariant, at least, is found broken.</summary>
    public void Breaks(string id)
    {
        var verdict = Judge().Single(v => v.Id == id);
        Assert.True(verdict.Violations.Count > 0, $"{id} was not found broken");
        Assert.Contains(":", verdict.Violations[0], StringComparison.Ordinal);
    }
}
