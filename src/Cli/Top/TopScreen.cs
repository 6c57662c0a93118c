using System.Globalization;

namespace Hearth.Cli.Top;

enum Tone
{
    Plain,
    Strong,
    Faint,
    Good,
    Warning,
    Bad,
}

/// <summary>A piece of a line.</summary>
readonly record struct Piece(string Text, Tone Tone = Tone.Plain);

/// <summary>Which silos come first.</summary>
enum TopOrder
{
    Name,
    Running,
    Blocks,
    TokensOut,
}

/// <summary>Lays a report out as lines that fit a terminal of any width: what matters least is left out first.</summary>
/// <param name="fancy">Whether the terminal shows block characters.</param>
sealed class TopScreen(int width, int height, bool fancy)
{
    const int BarCells = 12, WidthMin = 20;

    readonly int _width = Math.Max(width, WidthMin);
    readonly List<IReadOnlyList<Piece>> _lines = [];

    /// <param name="clock">What the first line ends with.</param>
    /// <param name="hint">The last line; null for none.</param>
    public IReadOnlyList<IReadOnlyList<Piece>> Draw(TopReport report, TopOrder order, string clock, string? hint)
    {
        Head(report, clock);
        Blank();
        // Beside the silos: head, blanks, heading, total, three lines of the minute, gateways and their heading, hint.
        var room = Math.Max(1, height - 10 - report.Gateways.Count - (hint is null ? 0 : 1));
        Silos(report, order, room);
        Blank();
        Minute(report);
        Blank();
        Gateways(report);
        if (hint is not null)
            Line(new Piece(hint, Tone.Faint));
        return _lines;
    }

    void Head(TopReport report, string clock)
    {
        var state = report.Fault is not null ? new Piece("  not told", Tone.Bad)
            : report.Ready ? new Piece("  ready", Tone.Good) : new Piece($"  not ready: {report.Reason}", Tone.Bad);
        Line(new Piece("hearth top", Tone.Strong), state, new Piece(
            $"  {Count(report.Silos.Count, "silo")}, {Count(report.Gateways.Count, "gateway")}  {clock}", Tone.Faint));
        if (report.Fault is not null)
            Line(new Piece(report.Fault, Tone.Bad));
    }

    void Silos(TopReport report, TopOrder order, int room)
    {
        List<Column<SiloRow>> columns =
        [
            new("SILO", s => new(s.Id, s.Id == "total" ? Tone.Strong : Tone.Plain), 100),
            new("STATUS", s => new(s.Status, s.Status == "active" ? Tone.Good : Tone.Warning), 60),
            new("DEVICE", s => new(s.Device, Tone.Faint), 10),
            new("MODEL", s => new(s.Model), 20),
            new("BLOCKS", s => new(Bar(s.BlocksUsed, s.BlocksTotal), Heat(s.BlocksUsed, s.BlocksTotal)), 50),
            new("USED", s => new($"{s.BlocksUsed}/{s.BlocksTotal}"), 90, Right: true),
            new("RUN", s => new(Text(s.Running)), 95, Right: true),
            new("WAIT", s => new(Text(s.Waiting), s.Waiting > 0 ? Tone.Warning : Tone.Plain), 94, Right: true),
            new("ACTIV", s => new(Text(s.Activations)), 40, Right: true),
            new("IN/s", s => new(Text(s.TokensIn)), 70, Right: true),
            new("OUT/s", s => new(Text(s.TokensOut), Tone.Strong), 93, Right: true),
            new("CACHED", s => new(Percent(s.Cached)), 45, Right: true),
        ];
        var sorted = Sort(report.Silos, order).ToList();
        var shown = sorted.Count > room ? sorted[..Math.Max(0, room - 1)] : sorted;
        Table(columns, [.. shown, report.Total]);
        if (shown.Count < sorted.Count)
        {
            var more = $"{(fancy ? "…" : "...")} {sorted.Count - shown.Count} more";
            _lines.Insert(_lines.Count - 1, [new Piece(more, Tone.Faint)]);
        }
    }

    static IEnumerable<SiloRow> Sort(IReadOnlyList<SiloRow> silos, TopOrder order) => order switch
    {
        TopOrder.Running => silos.OrderByDescending(s => s.Running + s.Waiting),
        TopOrder.Blocks => silos.OrderByDescending(s => (double)s.BlocksUsed / Math.Max(1, s.BlocksTotal)),
        TopOrder.TokensOut => silos.OrderByDescending(s => s.TokensOut),
        _ => silos.OrderBy(s => s.Id, StringComparer.Ordinal),
    };

    void Minute(TopReport report)
    {
        var minute = report.LastMinute;
        var since = report.Seconds >= 59 ? "last minute"
            : string.Create(CultureInfo.InvariantCulture, $"last {report.Seconds:0} s");
        Line([new Piece($"{since}: ", Tone.Strong), new Piece(Count(minute.Turns, "turn")),
            .. Share("hit", minute.Hit, Tone.Good), .. Share("restored", minute.Restored, Tone.Good),
            .. Share("pulled", minute.Pulled, Tone.Good), .. Share("recomputed", minute.Recomputed, Tone.Warning),
            .. Share("new", minute.New, Tone.Plain)]);
        Line(new Piece("moves "), new Piece(Text(minute.Moves), Tone.Strong),
            new Piece("   takeovers "), new Piece(Text(minute.Takeovers), minute.Takeovers > 0 ? Tone.Warning : Tone.Strong),
            new Piece("   refused "), new Piece(Text(minute.Refused), minute.Refused > 0 ? Tone.Warning : Tone.Strong),
            new Piece("   failed "), new Piece(Text(minute.Failed), minute.Failed > 0 ? Tone.Bad : Tone.Strong));

        Piece[] Share(string name, long count, Tone tone) =>
        [
            new Piece("   " + name + " "),
            new Piece(minute.Turns == 0 ? "-" : Percent((double)count / minute.Turns), count > 0 ? tone : Tone.Faint),
        ];
    }

    void Gateways(TopReport report)
    {
        List<Column<GatewayRow>> columns =
        [
            new("GATEWAY", g => new(g.Url), 100),
            new("RUN", g => new(Text(g.Running)), 90, Right: true),
            new("STREAMS", g => new(Text(g.Clients)), 50, Right: true),
            new("TURNS/s", g => new(Rate(g.Turns)), 80, Right: true),
            new("REFUSED/s", g => new(Rate(g.Refused), g.Refused > 0 ? Tone.Warning : Tone.Plain), 60, Right: true),
            new("FIRST TEXT p50", g => new(Time(g.FirstTextP50Seconds)), 70, Right: true),
            new("p95", g => new(Time(g.FirstTextP95Seconds)), 65, Right: true),
        ];
        Table(columns, report.Gateways);
        foreach (var silent in report.Gateways.Where(g => g.Fault is not null))
            Line(new Piece(silent.Fault!, Tone.Bad));
    }

    /// <param name="Weight">The column with the least goes first where there is no room.</param>
    sealed record Column<T>(string Heading, Func<T, Piece> Cell, int Weight, bool Right = false);

    void Table<T>(List<Column<T>> columns, IReadOnlyList<T> rows)
    {
        const string Gap = "  ";
        var cells = columns.ToDictionary(c => c, c => rows.Select(c.Cell).ToList());
        // What is empty everywhere says nothing.
        var left = columns.FindAll(c => rows.Count == 0 || cells[c].Exists(p => p.Text.Length > 0));
        while (left.Count > 1 && left.Sum(Width) + (Gap.Length * (left.Count - 1)) > _width)
            left.Remove(left.MinBy(c => c.Weight)!);
        Line([.. left.Select(c => new Piece(Fit(c.Heading, c), Tone.Faint))]);
        for (var row = 0; row < rows.Count; row++)
            Line([.. left.Select(c => new Piece(Fit(cells[c][row].Text, c), cells[c][row].Tone))]);

        int Width(Column<T> column) => cells[column].Select(p => p.Text.Length).Append(column.Heading.Length).Max();
        string Fit(string text, Column<T> column) =>
            (column.Right ? text.PadLeft(Width(column)) : text.PadRight(Width(column))) + (column == left[^1] ? "" : Gap);
    }

    void Blank() => _lines.Add([]);

    /// <summary>Cut to the width; what comes from outside cannot move the cursor.</summary>
    void Line(params IReadOnlyList<Piece> pieces)
    {
        var line = new List<Piece>();
        var left = _width;
        foreach (var (text, tone) in pieces)
        {
            var fits = text[..Math.Min(text.Length, left)];
            line.Add(new Piece(string.Concat(fits.Select(c => char.IsControl(c) ? ' ' : c)), tone));
            left -= fits.Length;
        }
        _lines.Add(line);
    }

    string Bar(int used, int total)
    {
        var full = total > 0 ? (int)Math.Round((double)BarCells * used / total) : 0;
        full = Math.Clamp(used > 0 ? Math.Max(1, full) : full, 0, BarCells);
        return new string(fancy ? '█' : '#', full) + new string(fancy ? '░' : '.', BarCells - full);
    }

    static Tone Heat(int used, int total) => used >= 0.95 * total && total > 0 ? Tone.Warning : Tone.Good;

    static string Count(long count, string what) => $"{count} {what}{(count == 1 ? "" : "s")}";

    static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    static string Text(double? rate) => rate is { } value ? value.ToString("0", CultureInfo.InvariantCulture) : "-";

    static string Rate(double? rate) => rate is { } value ? value.ToString("0.0", CultureInfo.InvariantCulture) : "-";

    static string Percent(double? part) => part switch
    {
        null => "-",
        > 0 and < 0.005 => "<1%",
        _ => string.Create(CultureInfo.InvariantCulture, $"{100 * part:0}%"),
    };

    static string Time(double? seconds) => seconds switch
    {
        null => "-",
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{1000 * seconds:0} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.0} s"),
    };
}
