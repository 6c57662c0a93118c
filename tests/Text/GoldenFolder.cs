using System.Runtime.CompilerServices;
using System.Text.Json;
using Xunit;

namespace Hearth.Text.Tests;

/// <summary>The reference outputs: the folder HEARTH_GOLDEN names, else tests/golden of the repository.</summary>
static class GoldenFolder
{
    static readonly string Root = Environment.GetEnvironmentVariable("HEARTH_GOLDEN") is { Length: > 0 } folder
        ? folder : Path.Combine(RepositoryRoot(), "tests", "golden");

    /// <summary>The path of a file or folder; fails the test when it is not there.</summary>
    internal static string PathOf(params string[] parts)
    {
        var path = Path.Combine([Root, .. parts]);
        Assert.True(Path.Exists(path), $"golden data is missing: '{path}' (set HEARTH_GOLDEN to the folder that holds it)");
        return path;
    }

    /// <summary>The cases of one kind: each is a folder.</summary>
    internal static IEnumerable<string> Names(string kind)
        => Directory.EnumerateDirectories(PathOf(kind)).Select(folder => Path.GetFileName(folder)!).Order();

    internal static JsonDocument Json(params string[] parts) => JsonDocument.Parse(File.ReadAllBytes(PathOf(parts)));

    static string RepositoryRoot([CallerFilePath] string thisFile = "")
        => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", ".."));
}
