using Xunit;
using Xunit.Sdk;

namespace Hearth.Cuda.Tests;

/// <summary>The emulator finds what it is there to find.</summary>
public sealed class EmulatorTests
{
    [Fact]
    public void FaultsOfAKernelAreFoundAndNamed()
    {
        Toolchain.Require();
        Fails("fault_write: block (0, 0, 0) thread 124: touched address 496 of an allocation of 496 bytes", "fault_write", 0,
            new Output<float>(124), 124);
        Fails("touched address 400 of an allocation of 400 bytes", "fault_read", 0, new Output<float>(128), new float[100], 4);
        Fails("unaligned", "fault_unaligned", 0, new Output<byte>(2048), new float[132]);
        Fails("64 threads wait at the block's barrier, 64 have ended", "fault_barrier", 0, new Output<float>(128));
        Fails("for 1 more lanes of its warp", "fault_lanes", 0, new Output<float>(128));
        Fails("outside of what the block has", "fault_shared", 1024, new Output<float>(128));
        FailsWith(1024, "1024 threads (at most 128", "fault_race", 0, new Output<float>(128));
        Assert.Contains("differs", Assert.ThrowsAny<XunitException>(() => Run("fault_race", 0, new Output<float>(128))).Message);
        Assert.Contains("differs", Assert.ThrowsAny<XunitException>(
            () => Run("fault_wait", 0, new Output<byte>(2048), new float[512])).Message);
    }

    /// <summary>Behind the last 16 bytes nothing can be guarded against reads, but writes are seen.</summary>
    [Fact]
    public void WritesIntoTheSlackOfAnAllocationAreFound()
    {
        Toolchain.Require();
        var error = Assert.ThrowsAny<XunitException>(() => Run("fault_write", 0, new Output<float>(122), 122));
        Assert.Contains("wrote around", error.Message);
    }

    static void Fails(string message, string kernel, int shared, params object[] arguments) =>
        FailsWith(128, message, kernel, shared, arguments);

    static void FailsWith(int threads, string message, string kernel, int shared, params object[] arguments) =>
        Assert.Contains(message, Assert.Throws<EmulatedFaultException>(
            () => KernelRun.Launch(kernel, (1, 1, 1), threads, shared, arguments)).Message);

    static void Run(string kernel, int shared, params object[] arguments) =>
        KernelRun.Launch(kernel, (1, 1, 1), 128, shared, arguments);
}
