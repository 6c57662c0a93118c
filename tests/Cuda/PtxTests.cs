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

    /// <summary>The loops that decide the speed, by what they are made of: products of 16 x 8 x 16, loads of four matrices,
    /// copies of 16 bytes and loads of 16 bytes. The counts follow from the sizes that the kernels' comments name.</summary>
    [Theory]
    [InlineData("attention_decode.cu", "attend_decode_bf16_128", "mma.sync", 8 * 4 * 2 + 2 * 16 * 2)]
    [InlineData("attention_decode.cu", "attend_decode_bf16_128", "ldmatrix.sync.aligned.m8n8.x4.trans", 8 * 2 * 2 + 2 * 8 * 2)]
    [InlineData("attention_decode.cu", "attend_decode_bf16_128", "cp.async.cg", 2 * 16 + 2 * 16)]
    [InlineData("attention_prefill.cu", "attend_prefill_bf16_128", "mma.sync", 8 * 8 * 2 + 4 * 16 * 2)]
    [InlineData("attention_prefill.cu", "attend_prefill_bf16_128", "ldmatrix.sync.aligned.m8n8.x4.trans", 8 * 4 + 4 * 8)]
    [InlineData("skinny.cu", "skinny_bf16", "ld.global.nc.L1::no_allocate", 2 * 4 * 2)]
    [InlineData("skinny.cu", "skinny_q4", "ld.global.nc.L1::no_allocate", 2 * 4 * 2)]
    [InlineData("gemv.cu", "gemv_bf16", "ld.global.nc.L1::no_allocate", 3 * 5)]
    [InlineData("attention_hopper.cu", "attend_prefill_bf16_128_hopper", "wgmma.mma_async.sync.aligned.m64n128k16", 8 + 8, "sm_90a")]
    public void HotLoopsAreMadeOfWideInstructions(
        string source, string kernel, string instruction, int count, string architecture = "sm_80")
    {
        Toolchain.Require();
        var ptx = File.ReadAllText(Toolchain.Ptx(source, architecture));
        var start = ptx.IndexOf($".entry {kernel}(", StringComparison.Ordinal);
        var end = ptx.IndexOf(".visible .entry", start, StringComparison.Ordinal);
        var body = ptx[start..(end < 0 ? ptx.Length : end)];
        Assert.Equal(count, Regex.Count(body, Regex.Escape(instruction)));
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
