using System.Diagnostics;

namespace Hearth.Cluster.Bench;

/// <summary>This program as several processes: what one measures of itself does not hold the others' memory.</summary>
static class BenchProcess
{
    /// <param name="args">The bench, the part of it, and what that takes.</param>
    public static Process Start(params string[] args) => Process.Start(new ProcessStartInfo(
        Environment.ProcessPath!, [typeof(BenchProcess).Assembly.Location, .. args])
    {
        RedirectStandardOutput = true,
    })!;

    /// <returns>This process' resident bytes and its live heap.</returns>
    public static (long Resident, long Live) Memory()
    {
        var live = GC.GetTotalMemory(forceFullCollection: true);
        using var self = Process.GetCurrentProcess();
        return (self.WorkingSet64, live);
    }
}
