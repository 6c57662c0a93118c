using System.Diagnostics;
using System.Text.RegularExpressions;
using Xunit;

namespace Hearth.Architecture.Tests;

/// <summary>What is written must point at what is there.</summary>
public sealed partial class DocumentTests
{
    [Fact]
    public void LinksInDocumentsLeadSomewhere()
    {
        var broken =
            from path in Tracked("*.md").Where(path => !path.StartsWith("tests/golden/", StringComparison.Ordinal))
            from Match link in Link().Matches(File.ReadAllText(Path.Combine(Repository.Root, path)))
            let target = link.Groups[1].Value.Split('#')[0]
            where target.Length > 0 && !target.Contains("://", StringComparison.Ordinal)
            let full = Path.GetFullPath(Path.Combine(Repository.Root, Path.GetDirectoryName(path)!, target))
            where !File.Exists(full) && !Directory.Exists(full)
            select $"{path}: {target}";
        Assert.Empty(broken);
    }

    [Fact]
    public void TheReferenceDataStaysSmall()
    {
        const long bytesMax = 32 << 20;
        var bytes = Directory.EnumerateFiles(Path.Combine(Repository.Root, "tests", "golden"), "*", SearchOption.AllDirectories)
            .Sum(path => new FileInfo(path).Length);
        Assert.InRange(bytes, 1, bytesMax);
    }

    [Fact]
    public void TheDemoModelStaysSmall()
    {
        const long bytesMax = 16 << 20;
        var bytes = Directory.EnumerateFiles(Path.Combine(Repository.Root, "models", "demo")).Sum(path => new FileInfo(path).Length);
        Assert.InRange(bytes, 1, bytesMax);
    }

    static string[] Tracked(string pattern)
    {
        using var git = Process.Start(new ProcessStartInfo("git", ["-C", Repository.Root, "ls-files", "--cached", "--others", "--exclude-standard", pattern])
        { RedirectStandardOutput = true })!;
        var output = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();
}
