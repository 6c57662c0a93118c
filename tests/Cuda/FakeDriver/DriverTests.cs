using Hearth.Cuda.Native;
using Hearth.Kernels;
using Xunit;

namespace Hearth.Cuda.Tests;

/// <summary>The host side against the fake driver: what it says when something is wrong, and what it keeps.</summary>
[Collection(FakeCards.Collection)]
public sealed class DriverTests
{
    const int DriverVersion = 12040, Capability = 80;
    const long Memory = 1L << 32;

    [Fact]
    public unsafe void StructsHaveTheLibrariesSizes() => Assert.Equal((64, 96), (sizeof(GemmAlgorithm), sizeof(GemmHeuristic)));

    [Fact]
    public void ACardIsDescribed()
    {
        FakeCards.Require();
        var info = CudaSystem.Describe(1);
        Assert.Equal((1, "Fake card 1", 80, 4, "12.4"),
            (info.Ordinal, info.Name, info.Capability, info.Multiprocessors, info.DriverText));
        Assert.Equal(2, CudaSystem.Count());
    }

    [Theory]
    [InlineData("version", 11080, DriverVersion, 0, "supports CUDA 11.8; needed is 12.0. Install driver 525")]
    [InlineData("capability", 75, Capability, 0, "has compute capability 7.5; needed is 8.0")]
    [InlineData("version", DriverVersion, DriverVersion, 2, "no card cuda:2: this process sees 2")]
    public void WhatCannotBeUsedIsSaid(string what, long value, long usual, int ordinal, string message)
    {
        FakeCards.Require();
        FakeCards.Set(what, value);
        try
        {
            Assert.Contains(message, Assert.Throws<CudaException>(() => CudaSystem.Describe(ordinal)).Message);
        }
        finally
        {
            FakeCards.Set(what, usual);
        }
    }

    [Fact]
    public void MemoryThatIsNotThereNamesTheCallAndTheRemedy()
    {
        FakeCards.Require();
        using var context = new CudaContext(0);
        FakeCards.Set("memory", 1 << 20);
        try
        {
            var error = Assert.Throws<CudaException>(() => new DeviceMemory(context, 2 << 20));
            Assert.Contains("cuMemAlloc_v2 failed: CUDA_ERROR_OUT_OF_MEMORY", error.Message);
            Assert.Contains("--kv-memory", error.Message);
        }
        finally
        {
            FakeCards.Set("memory", Memory);
        }
    }

    /// <summary>More than the staging buffers hold, so that each is used again while the copies before are under way.</summary>
    [Fact]
    public void AnUploadInPartsArrivesWhole()
    {
        FakeCards.Require();
        using var context = new CudaContext(0);
        using var source = new NativeBuffer(5L * Uploader.PartBytes + 123);
        new Random(3).NextBytes(source.AsSpan<byte>());
        using var target = new DeviceMemory(context, source.Length);
        using (var uploader = new Uploader(context))
        {
            uploader.Send(source.Memory, target.Address);
            uploader.Finish();
        }
        using var stream = new CudaStream(context);
        using var back = new PinnedMemory(context, source.Length);
        stream.Download(back, 0, target.Address, source.Length);
        stream.Synchronize();
        Assert.True(back.Span<byte>(0, (int)source.Length).SequenceEqual(source.AsSpan<byte>()));
    }

    [Fact]
    public void AKernelThatDoesNotCompileShowsTheCompilersLog()
    {
        FakeCards.Require();
        var compiler = new KernelCompiler(CudaSystem.Describe(0));
        var error = Assert.Throws<CudaException>(() => compiler.Compile(new("x.cu", "this does not compile", [])));
        Assert.Contains("x.cu", error.Message);
        Assert.Contains("line 1: this does not compile", error.Message);
        error = Assert.Throws<CudaException>(() => compiler.Compile(new("y.cu", "#include \"missing.cuh\"", [])));
        Assert.Contains("missing.cuh was not given", error.Message);
    }

    [Fact]
    public void ARecordThatIsNotItsKernelsParametersIsRefused()
    {
        FakeCards.Require();
        using var card = new CudaCard(0, FakeCards.CacheFolder, _ => { });
        Assert.Contains("parameters", Assert.Throws<CudaException>(() => card.Modules.Kernel<ArgmaxLaunch>("clip")).Message);
        Assert.Contains("no kernel", Assert.Throws<CudaException>(() => card.Modules.Kernel<ArgmaxLaunch>("armgax")).Message);
    }

    [Fact]
    public void TheAlgorithmOfAShapeIsLookedForOnce()
    {
        FakeCards.Require();
        using var card = new CudaCard(0, FakeCards.CacheFolder, _ => { });
        using var stream = new CudaStream(card.Context);
        using var memory = new DeviceMemory(card.Context, 1 << 20);
        stream.Clear(memory.Address, memory.Length);
        var before = FakeCards.Count("searches");
        for (var start = 0; start < 2; start++)
        {
            using var gemm = new Gemm(stream, card.Cache, isDeterministic: false);
            foreach (var rows in (int[])[70, 90, 70])
            {
                var shape = new GemmShape(rows, 16, 32, DType.BF16, DType.F32, false, false);
                gemm.Multiply(shape, memory.Address, 0, memory.Address, memory.Address + (1 << 18));
            }
            stream.Synchronize();
        }
        Assert.Equal(before + 1, FakeCards.Count("searches"));
    }

    [Fact]
    public void ACacheThatCannotBeWrittenCostsOnlyTime()
    {
        var said = new List<string>();
        var cache = new FileCache("/proc/hearth-cannot-write-here", said.Add);
        cache.Write("x", [1]);
        Assert.Null(cache.Read("x"));
        Assert.Contains("cannot be written", Assert.Single(said));
    }
}
