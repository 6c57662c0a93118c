using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>Where the reference outputs lie: the folder that HEARTH_GOLDEN names, else tests/golden of the repository.</summary>
static class GoldenFolder
{
    public static string Repository { get; } = FindRepository();

    public static string Root { get; } =
        Environment.GetEnvironmentVariable("HEARTH_GOLDEN") is { Length: > 0 } named
            ? named
            : Path.Combine(Repository, "tests", "golden");

    /// <summary>A file or directory below the root; it must exist.</summary>
    public static string At(params string[] parts)
    {
        var path = Path.Combine([Root, .. parts]);
        Assert.True(Path.Exists(path),
            $"{path} is missing: set HEARTH_GOLDEN to the folder with the reference outputs, or restore the repository's own.");
        return path;
    }

    static string FindRepository()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Cluster.sln")))
                return at.FullName;
        }
        throw new InvalidOperationException($"no Cluster.sln above {AppContext.BaseDirectory}");
    }
}
