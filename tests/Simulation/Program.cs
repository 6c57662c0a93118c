using System.Diagnostics;
using System.Globalization;
using Hearth.Simulation.Tests.Cluster;

namespace Hearth.Simulation.Tests;

/// <summary>Runs seeds: <c>--seeds N [--from M] [--verbose] [--histories]</c>; the tests with any other arguments.</summary>
static class Program
{
    static Task<int> Main(string[] args) => args.Contains("--seeds")
        ? RunAsync(Number(args, "--seeds", 1), Number(args, "--from", 1), args.Contains("--verbose"), args.Contains("--histories"))
        : Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args);

    static async Task<int> RunAsync(int seeds, int from, bool verbose, bool histories)
    {
        var (watch, failed, faults, turns, steps, hash) = (Stopwatch.StartNew(), 0, 0, 0, 0L, 0UL);
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        for (var seed = from; seed < from + seeds; seed++)
        {
            var result = await SimRun.RunAsync(seed, verbose, writesHistories: histories);
            (faults, turns, steps) = (faults + result.Faults, turns + result.Turns, steps + result.Steps);
            foreach (var (what, times) in result.Counts)
                counts[what] = counts.GetValueOrDefault(what) + times;
            hash = (hash * 31) ^ result.LogHash;
            if (result.IsSound && !verbose)
                continue;
            if (!result.IsSound)
                failed++;
            Console.WriteLine(result.Story);
            Console.WriteLine($"seed {seed} {(result.IsSound ? "is sound" : "FAILED")}, log hash {result.LogHash:x16}");
        }
        foreach (var (what, times) in counts)
            Console.WriteLine($"{times,9} {what}");
        Console.WriteLine($"{seeds} seeds from {from}: {failed} failed; {faults} faults, {turns} turns, {steps} steps, "
            + $"log hash {hash:x16}, {watch.Elapsed.TotalSeconds:F1} s");
        return failed == 0 ? 0 : 1;
    }

    static int Number(string[] args, string name, int otherwise) => Array.IndexOf(args, name) is var at and >= 0
        ? int.Parse(args[at + 1], CultureInfo.InvariantCulture)
        : otherwise;
}
