using System.Diagnostics;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Operate.Tests;

/// <summary>Programs that a machine may lack: without them a test is skipped.</summary>
static class Programs
{
    public static void Need(string name) => Assert.SkipUnless(
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Any(folder => File.Exists(Path.Combine(folder, name))),
        $"{name} is not installed (Debian: apt-get install prometheus)");

    /// <summary>Runs it in the repository's root and gives its exit code and all it wrote.</summary>
    public static async Task<(int Code, string Output)> RunAsync(string name, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(name, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = HearthNode.Root,
        })!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output + await errors);
    }
}
