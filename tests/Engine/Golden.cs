using System.Runtime.CompilerServices;

namespace Hearth.Engine.Tests;

static class Golden
{
    /// <summary>A file of the reference outputs: below HEARTH_GOLDEN, else tests/golden.</summary>
    public static string Path(string name, [CallerFilePath] string here = "")
    {
        var root = Environment.GetEnvironmentVariable("HEARTH_GOLDEN")
            ?? System.IO.Path.Combine(System.IO.Path.GetDirectoryName(here)!, "..", "golden");
        return System.IO.Path.Combine(root, name);
    }
}
