using System.Globalization;
using Hearth.Actors.Storage;
using Hearth.Actors.Storage.Redis;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hearth.HistoryCheck;

static class Program
{
    const string Usage = """
        usage: HistoryCheck check DIR [--lost-after-restart SECONDS]
               HistoryCheck dump --redis HOST:PORT [--cluster NAME] DIR
        """;

    static async Task<int> Main(string[] args)
    {
        try
        {
            return args switch
            {
                ["check", var directory] => Check(directory, 0),
                ["check", var directory, "--lost-after-restart", var seconds]
                    when double.TryParse(seconds, CultureInfo.InvariantCulture, out var most) => Check(directory, most),
                ["dump", "--redis", var redis, var directory] => await DumpAsync(redis, "hearth", directory),
                ["dump", "--redis", var redis, "--cluster", var cluster, var directory] => await DumpAsync(redis, cluster, directory),
                _ => Fail(Usage, 2),
            };
        }
        catch (Exception e) when (e is FormatException or IOException or StoreException)
        {
            return Fail(e.Message, 1);
        }
    }

    static int Check(string directory, double lostAfterRestart)
    {
        var history = History.Read(directory);
        if (history.Dumped.Count == 0)
            return Fail($"{directory} has no dump: run dump first, while the store is still there.", 2);
        return Report.Write(Console.Out, Checks.All(history, TimeSpan.FromSeconds(lostAfterRestart))) ? 0 : 1;
    }

    static async Task<int> DumpAsync(string redis, string cluster, string directory)
    {
        var options = new RedisOptions { Control = redis, Cluster = cluster, Timeout = TimeSpan.FromSeconds(10) };
        await using var store = await RedisStore.ConnectAsync(options, TimeProvider.System, NullLogger.Instance, default);
        var history = History.Read(directory);
        await using var output = File.Create(Path.Combine(directory, "dump.jsonl"));
        await Dump.WriteAsync(history, store.Grains, store.Membership, output, default);
        return 0;
    }

    static int Fail(string message, int code)
    {
        Console.Error.WriteLine(message);
        return code;
    }
}

static class Report
{
    const int ViolationsShown = 10;

    /// <returns>Whether nothing is wrong.</returns>
    public static bool Write(TextWriter output, IReadOnlyList<Verdict> verdicts)
    {
        foreach (var verdict in verdicts)
        {
            output.WriteLine($"{verdict.Id}  {(verdict.Violations.Count == 0 ? "ok  " : "FAIL")}  {verdict.Checked,7} checked, "
                + $"{verdict.Violations.Count} violations, {verdict.Notes.Count} notes: {verdict.Title}");
        }
        foreach (var verdict in verdicts)
        {
            foreach (var violation in verdict.Violations.Take(ViolationsShown))
                output.WriteLine($"\n{verdict.Id}: {violation}");
            foreach (var note in verdict.Notes.Take(ViolationsShown))
                output.WriteLine($"{verdict.Id}: note: {note}");
        }
        return verdicts.All(v => v.Violations.Count == 0);
    }
}
