namespace Hearth.Cluster.Bench;

/// <summary>Says what came of moves.</summary>
static class MovesReport
{
    public static void Show(string what, TwoSilos silos, MoveTally tally)
    {
        tally.Copies.AddRange(silos.Copies.Take());
        Console.WriteLine($"{what}: {tally.Moves} moves ({string.Join(", ", tally.Moments.Select(m => $"{m.Value} {m.Key}"))}), "
            + $"{tally.Differences.Count} differences");
        var step = At(tally.Steps, 0.5);
        Console.WriteLine($"  decode step p50 {step:F2} p99 {At(tally.Steps, 0.99):F2} ms of {tally.Steps.Count}; pause in steps p50 "
            + $"{At(tally.Pauses, 0.5) / step:F2} p90 {At(tally.Pauses, 0.9) / step:F2} p99 {At(tally.Pauses, 0.99) / step:F2} "
            + $"max {At(tally.Pauses, 1) / step:F2} of {tally.Pauses.Count}; p99 pause = "
            + $"{At(tally.Pauses, 0.99) / At(tally.Steps, 0.99):F2} p99 steps");
        Console.WriteLine($"  copied {Rates(tally.Copies)}"
            + (tally.IdleCopies.Count > 0 ? $"; of idle conversations {Rates(tally.IdleCopies)}, a "
                + $"GB in {tally.IdleCpu.TotalSeconds / tally.IdleCopies.Sum(c => c.Bytes / 1e9):F2} s of a core" : ""));
        foreach (var (reason, times) in tally.Refusals)
            Console.WriteLine($"  {times} times: {reason}");
        foreach (var difference in tally.Differences.Take(3))
            Console.WriteLine(difference);
    }

    /// <summary>Where the pauses come from, all of them and the worst.</summary>
    public static void ShowPauses(MoveTrace trace, MoveTally tally, int[] collections)
    {
        var worst = trace.Pauses.OrderByDescending(p => p.Total).ToList();
        var step = At(tally.Steps, 0.5);
        Phases("all", worst);
        Phases("worst 1 %", worst[..Math.Max(1, worst.Count / 100)]);
        foreach (var pause in worst.Take(3))
        {
            Console.WriteLine($"  {pause.Total / step:F2} steps: {Of(pause.Phases)}; collecting {pause.Collecting:F1}, "
                + $"compiling {pause.Compiling:F1} ms");
        }
        Console.WriteLine($"  garbage collections {string.Join('/', collections)}; replies with moves "
            + (tally.Differences.Count == 0 ? "all identical" : "NOT all identical") + $" ({tally.Turns})");

        void Phases(string which, List<MovePause> pauses) => Console.WriteLine($"  {which}, mean ms: " + Of([.. MoveTrace.Marks.Select(m =>
            pauses.Average(p => p.Phases[(int)m]))]));
    }

    static string Rates(List<(long Bytes, double Seconds)> copies)
    {
        var rates = copies.ConvertAll(c => c.Bytes / 1e9 / c.Seconds);
        return $"{copies.Sum(c => c.Bytes) / 1e6:F0} MB at p50 {At(rates, 0.5):F2} best {At(rates, 1):F2} GB/s";
    }

    static string Of(double[] phases) => string.Join(", ", MoveTrace.Marks.Select(m => $"{m.ToString().ToLowerInvariant()} {phases[(int)m]:F2}"));

    static double At(List<double> values, double part)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? double.NaN : sorted[(int)Math.Min(sorted.Length - 1, Math.Floor(part * sorted.Length))];
    }
}
