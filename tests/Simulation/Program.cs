using System.Globalization;

namespace Hearth.Simulation.Tests;

/// <summary>Runs seeds: <c>--seeds N [--from M] [--verbose] [--histories] [--hashes] [--processes N]</c>; the tests with any
/// other arguments.</summary>
static class Program
{
    static async Task<int> Main(string[] args)
    {
        if (!args.Contains("--seeds"))
            return await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(WithoutWatch(args));
        var runs = new SeedRuns(Number(args, "--from", 1), Number(args, "--seeds", 1),
            args.Contains("--verbose"), args.Contains("--histories"), args.Contains("--hashes"));
        if (Number(args, "--processes", 1) is var processes and > 1)
        {
            var all = await runs.SpreadAsync(processes, CancellationToken.None);
            foreach (var (_, said) in all)
                Console.Write(said);
            return all.All(a => a.IsSound) ? 0 : 1;
        }
        return await runs.RunAsync(Console.Out) == 0 ? 0 : 1;
    }

    /// <summary>The runner's watch over long tests waits on a pool thread, and this process has one.</summary>
    static string[] WithoutWatch(string[] args) =>
        Array.IndexOf(args, "-longRunning") is var at and >= 0 ? [.. args[..at], .. args[Math.Min(at + 2, args.Length)..]] : args;

    static int Number(string[] args, string name, int otherwise) => Array.IndexOf(args, name) is var at and >= 0
        ? int.Parse(args[at + 1], CultureInfo.InvariantCulture)
        : otherwise;
}
