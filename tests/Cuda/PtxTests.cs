using System.Text.RegularExpressions;
using Xunit;

namespace Hearth.Cuda.Tests;

/// <summary>What can be told of the kernels on a card without one.</summary>
public sealed partial class PtxTests
{
    public static TheoryData<string, string> Compiled =>
        new(from source in Toolchain.Sources from architecture in (string[])["sm_80", "sm_90a"] select (source, architecture));

    [Theory]
    [MemberData(nameof(Compiled))]
    public void KernelsCompileWithoutAWarningAndKeepNothingInLocalMemory(string source, string architecture)
    {
        Toolchain.Require();
        var ptx = File.ReadAllText(Toolchain.Ptx(source, architecture));
        Assert.Contains(".entry", ptx);
        Assert.DoesNotContain("__local_depot", ptx);
    }

    /// <summary>NVRTC has no headers, and does not say so before a card is there.</summary>
    [Fact]
    public void KernelsIncludeOnlyOurOwnHeaders()
    {
        var headers = Directory.EnumerateFiles(Toolchain.Kernels, "*.cuh").Select(Path.GetFileName).ToHashSet();
        var foreign =
            from file in Directory.EnumerateFiles(Toolchain.Kernels)
            from Match include in Include().Matches(File.ReadAllText(file))
            let name = include.Groups[1].Value
            where !headers.Contains(name) && name != "emulated.h"
            select $"{Path.GetFileName(file)} includes {name}";
        Assert.Empty(foreign);
    }

    [GeneratedRegex("""^\s*#\s*include\s*[<"]([^>"]+)[>"]""", RegexOptions.Multiline)]
    private static partial Regex Include();
}
