namespace Hearth.HistoryCheck;

/// <summary>All that was written down of a run, by what it is.</summary>
sealed class History
{
    /// <param name="files">Name and lines of each file.</param>
    /// <exception cref="FormatException">A line that no process writes.</exception>
    public History(IEnumerable<(string Name, IReadOnlyList<string> Lines)> files)
    {
        var calls = new Dictionary<(string File, string Process, long Number), HistoryLine>();
        var answers = new Dictionary<(string File, string Process, long Number), HistoryLine>();
        var streams = new Dictionary<(string Process, long Stream), (HistoryLine Send, List<HistoryLine> Events)>();
        var ends = new Dictionary<(string Process, long Stream), HistoryLine>();
        foreach (var (name, lines) in files)
        {
            for (var i = 0; i < lines.Count; i++)
            {
                if (HistoryLine.Parse(lines[i], $"{name}:{i + 1}", i == lines.Count - 1) is not { } line)
                    continue;
                var stream = (line.Process, line.Number("stream"));
                if (line.Number("call") is var call and >= 0)
                    calls[(name, line.Process, call)] = line;
                else if (line.Number("answer") is var answer and >= 0)
                    answers[(name, line.Process, answer)] = line;
                else if (line.Op == "send")
                    streams[stream] = (line, []);
                else if (line.Op == "event" && streams.TryGetValue(stream, out var open))
                    open.Events.Add(line);
                else if (line.Op == "end")
                    ends[stream] = line;
                else
                    Others.Add(line);
            }
        }
        Calls = [.. calls.Select(c => new StoreCall(c.Value, answers.GetValueOrDefault(c.Key))).OrderBy(c => c.Begun)];
        Streams = [.. streams.Select(s => new ClientStream(s.Value.Send, s.Value.Events, ends.GetValueOrDefault(s.Key)))
            .OrderBy(s => s.Send.Nanoseconds)];
        Others.Sort((a, b) => a.Nanoseconds.CompareTo(b.Nanoseconds));
        Grants = [.. Calls.Where(c => c.Outcome == "acquired").Select(GrantOf)];
        Restarts = FindRestarts();
        Rollbacks = [.. Others.Where(o => o.Op == "rolled_back").Select(o => (o.Number("whole_until"), o.Nanoseconds))];
        Dumped = Others.Where(o => o.Op == "dump").ToDictionary(o => o.Text("grain"));
    }

    public static History Read(string directory) => new(
        Directory.EnumerateFiles(directory, "*.jsonl").Order(StringComparer.Ordinal)
            .Select(path => (Path.GetFileName(path), (IReadOnlyList<string>)File.ReadAllLines(path))));

    /// <summary>In the order in which they were begun.</summary>
    public IReadOnlyList<StoreCall> Calls { get; }
    public IReadOnlyList<ClientStream> Streams { get; }
    public IReadOnlyList<Grant> Grants { get; }

    /// <summary>Lines that are neither store calls nor streams, by time.</summary>
    public List<HistoryLine> Others { get; } = [];

    /// <summary>Between these two moments the store became another incarnation.</summary>
    public IReadOnlyList<(long After, long Before)> Restarts { get; }

    /// <summary>At the second moment the store went back to what it had held at the first, as whoever did it says.</summary>
    public IReadOnlyList<(long WholeUntil, long At)> Rollbacks { get; }

    public IReadOnlyDictionary<string, HistoryLine> Dumped { get; }

    /// <summary>Whether the store may have been rolled back between two moments.</summary>
    public bool RestartedBetween(long from, long to) => Restarts.Any(r => r.After <= to && r.Before >= from);

    static Grant GrantOf(StoreCall call) => call.Op == "hand_over"
        ? new Grant(call.Grain, call.Answer!.Number("granted"), call.Call.Text("to_activation"), call.Call.Text("to_silo"), call)
        : new Grant(call.Grain, call.Answer!.Number("granted"), call.Activation, call.Call.Text("silo"), call);

    /// <summary>From the views: the last one of an incarnation, and the first one of the next.</summary>
    List<(long, long)> FindRestarts()
    {
        var seen = Others.Where(o => o.Op is "view" or "beat_refused" && o.Text("incarnation").Length > 0).ToList();
        var spans = seen.GroupBy(v => v.Text("incarnation"))
            .Select(g => (First: g.Min(v => v.Nanoseconds), Last: g.Max(v => v.Nanoseconds)))
            .OrderBy(s => s.First).ToList();
        return [.. spans.Zip(spans.Skip(1), (a, b) => (Math.Min(a.Last, b.First), Math.Max(a.Last, b.First)))];
    }
}
