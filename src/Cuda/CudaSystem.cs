using System.Globalization;
using System.Runtime.InteropServices;
using Hearth.Cuda.Native;

namespace Hearth.Cuda;

/// <summary>What a card is.</summary>
/// <param name="Ordinal">As the process sees it: CUDA_VISIBLE_DEVICES is respected by the driver.</param>
/// <param name="Capability">Compute capability times ten: 90 for Hopper.</param>
/// <param name="DriverVersion">Of CUDA, as 1000 * major + 10 * minor.</param>
public sealed record CudaDeviceInfo(
    int Ordinal, string Name, string Uuid, long Memory, int Capability, int Multiprocessors, int SharedBytesPerBlock,
    long L2Bytes, int DriverVersion)
{
    public string DriverText => CudaSystem.VersionText(DriverVersion);

    /// <summary>Compiled for this architecture; Hopper's own instructions need the "a".</summary>
    internal string Architecture => Capability == 90 ? "sm_90a" : $"sm_{Capability}";
}

/// <summary>The cards of this machine.</summary>
public static unsafe class CudaSystem
{
    /// <summary>Looks at a card, without taking memory of it.</summary>
    /// <exception cref="CudaException">There is no such card, or it or its driver cannot be used; the message says what to
    /// do.</exception>
    public static CudaDeviceInfo Describe(int ordinal)
    {
        var version = Start();
        int count, device;
        Driver.cuDeviceGetCount(&count).Check();
        if (ordinal < 0 || ordinal >= count)
        {
            var hidden = Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES") is { } visible
                ? $" (CUDA_VISIBLE_DEVICES={visible})" : "";
            throw new CudaException($"There is no card cuda:{ordinal}: this process sees {count}{hidden}, " +
                $"cuda:0 to cuda:{count - 1}.");
        }
        Driver.cuDeviceGet(&device, ordinal).Check();
        var info = Describe(ordinal, device, version);
        if (info.Capability < Limits.ComputeCapabilityMin)
        {
            throw new CudaException($"cuda:{ordinal}, {info.Name}, has compute capability {info.Capability / 10}." +
                $"{info.Capability % 10}; needed is 8.0 (Ampere) or newer. Use another card, or --device cpu.");
        }
        return info;
    }

    /// <summary>Cards that this process sees.</summary>
    /// <exception cref="CudaException">There is no driver, or none that works.</exception>
    public static int Count()
    {
        _ = Start();
        int count;
        Driver.cuDeviceGetCount(&count).Check();
        return count;
    }

    /// <returns>The driver's version.</returns>
    static int Start()
    {
        var result = Driver.cuInit(0);
        if (result != CudaResult.Success)
            throw new CudaException(Explain(result));
        int version;
        Driver.cuDriverGetVersion(&version).Check();
        return version >= Limits.DriverVersionMin ? version : throw new CudaException(
            $"The NVIDIA driver supports CUDA {VersionText(version)}; needed is 12.0. Install driver 525 or newer.");
    }

    internal static string VersionText(int version) =>
        string.Create(CultureInfo.InvariantCulture, $"{version / 1000}.{version % 1000 / 10}");

    static string Explain(CudaResult result) => result switch
    {
        CudaResult.NoDevice => Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES") is { } visible
            ? $"The NVIDIA driver sees no card. CUDA_VISIBLE_DEVICES is '{visible}': unset it, or name a card."
            : "The NVIDIA driver sees no card. Give this machine or container one, or use --device cpu.",
        CudaResult.StubLibrary =>
            "libcuda.so.1 is the toolkit's stub, not the driver: take its folder (…/stubs) out of LD_LIBRARY_PATH.",
        CudaResult.SystemNotReady =>
            "The cards are not ready: start NVIDIA's fabric manager (nvidia-fabricmanager), or wait for it.",
        CudaResult.SystemDriverMismatch or CudaResult.CompatNotSupportedOnDevice =>
            "The driver's kernel module and libcuda.so.1 are of different versions: restart the machine, or remove the compat " +
            "package.",
        _ => $"The NVIDIA driver does not start (cuInit gives {(int)result}). Look at nvidia-smi and the kernel's log.",
    };

    static CudaDeviceInfo Describe(int ordinal, int device, int version)
    {
        const int NameLength = 256, UuidLength = 16;
        var text = stackalloc byte[NameLength];
        var uuid = stackalloc byte[UuidLength];
        nuint memory;
        Driver.cuDeviceGetName(text, NameLength, device).Check();
        Driver.cuDeviceGetUuid_v2(uuid, device).Check();
        Driver.cuDeviceTotalMem_v2(&memory, device).Check();
        return new CudaDeviceInfo(
            ordinal, Marshal.PtrToStringUTF8((nint)text) ?? "",
            Convert.ToHexStringLower(new ReadOnlySpan<byte>(uuid, UuidLength)), (long)memory,
            10 * Attribute(DeviceAttribute.ComputeMajor, device) + Attribute(DeviceAttribute.ComputeMinor, device),
            Attribute(DeviceAttribute.Multiprocessors, device), Attribute(DeviceAttribute.SharedBytesPerBlockOptIn, device),
            Attribute(DeviceAttribute.L2Bytes, device), version);
    }

    static int Attribute(DeviceAttribute attribute, int device)
    {
        int value;
        Driver.cuDeviceGetAttribute(&value, attribute, device).Check();
        return value;
    }
}
