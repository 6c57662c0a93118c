using System.Diagnostics;
using System.Globalization;
using Hearth.Simulation.Tests.Cluster;

namespace Hearth.Simulation.Tests;

/// <summary>Which seeds to run, and what to say of them.</summary>
/// <param name="Verbose">Tells the story of every run, not only of those that fail.</param>
/// <param name="Histories">Has the checker of real runs judge them too.</param>
/// <param name="Hashes">Gives a line for each run, to compare two of them.</param>
sealed record SeedRuns(int From, int Seeds, bool Verbose = false, bool Histories = false, bool Hashes = false)
{
    /// <summary>The arguments that make another process do this.</summary>
    public IEnumerable<string> Arguments =>
    [
        "--seeds", Text(Seeds), "--from", Text(From),
        .. Verbose ? ["--verbose"] : Array.Empty<string>(),
        .. Histories ? ["--histories"] : Array.Empty<string>(),
        .. Hashes ? ["--hashes"] : Array.Empty<string>(),
    ];

    /// <summary>Runs them one after the other in this process, which must do nothing else.</summary>
    /// <returns>How many failed.</returns>
    public async Task<int> RunAsync(TextWriter output)
    {
        var (watch, failed, faults, turns, steps, hash) = (Stopwatch.StartNew(), 0, 0, 0, 0L, 0UL);
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        for (var seed = From; seed < From + Seeds; seed++)
        {
            var result = await SimRun.RunAsync(seed, Verbose, writesHistories: Histories);
            (faults, turns, steps) = (faults + result.Faults, turns + result.Turns, steps + result.Steps);
            foreach (var (what, times) in result.Counts)
                counts[what] = counts.GetValueOrDefault(what) + times;
            hash = (hash * 31) ^ result.LogHash;
            failed += result.IsSound ? 0 : 1;
            if (!result.IsSound || Verbose)
                output.WriteLine(result.Story);
            if (!result.IsSound || Verbose || Hashes)
                output.WriteLine($"seed {seed} {(result.IsSound ? "is sound" : "FAILED")}, log hash {result.LogHash:x16}");
        }
        foreach (var (what, times) in counts)
            output.WriteLine($"{times,9} {what}");
        output.WriteLine($"{Seeds} seeds from {From}: {failed} failed; {faults} faults, {turns} turns, {steps} steps, "
            + $"log hash {hash:x16}, {watch.Elapsed.TotalSeconds:F1} s");
        return failed;
    }

    /// <summary>Runs them in so many other processes at once: a world wants one to itself.</summary>
    /// <returns>What each said, and whether it ended well.</returns>
    public Task<(bool IsSound, string Said)[]> SpreadAsync(int processes, CancellationToken stop)
    {
        var each = (Seeds + processes - 1) / processes;
        return Task.WhenAll(Enumerable.Range(0, processes)
            .Select(i => this with { From = From + i * each, Seeds = Math.Min(each, Seeds - i * each) })
            .Where(part => part.Seeds > 0).Select(part => part.InAnotherAsync(stop)));
    }

    /// <summary>On a thread of its own, for this process has one in its pool.</summary>
    Task<(bool, string)> InAnotherAsync(CancellationToken stop)
    {
        var done = new TaskCompletionSource<(bool, string)>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                using var process = Process.Start(new ProcessStartInfo("dotnet", [typeof(SeedRuns).Assembly.Location, .. Arguments])
                {
                    RedirectStandardOutput = true,
                })!;
                using var killed = stop.Register(process.Kill);
                var said = process.StandardOutput.ReadToEnd();
                process.WaitForExit();
                done.SetResult((process.ExitCode == 0, said));
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        })
        { IsBackground = true }.Start();
        return done.Task;
    }

    static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
