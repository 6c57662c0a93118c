using System.Runtime.CompilerServices;

namespace Hearth.Engine.Tests;

static class Golden
{
    static readonly string _root = Environment.GetEnvironmentVariable("HEARTH_GOLDEN")
        ?? System.IO.Path.Combine(System.IO.Path.GetDirectoryName(Here())!, "..", "golden");

    /// <summary>A file of the reference outputs: below HEARTH_GOLDEN, else tests/golden.</summary>
    public static string Path(string name) => System.IO.Path.Combine(_root, name);

    static string Here([CallerFilePath] string here = "") => here;
}
