using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Hearth.Cuda.Native;

namespace Hearth.Cuda;

/// <summary>Compiles the kernels for one architecture with NVRTC.</summary>
sealed unsafe class KernelCompiler
{
    /// <summary>NVRTC would change the whole process's stack limit, which threads made meanwhile would inherit.</summary>
    const string KeepStackLimit = "--modify-stack-limit=false";

    readonly string[] _options;
    readonly bool _isPtx;

    /// <exception cref="CudaException">NVRTC is missing.</exception>
    public KernelCompiler(CudaDeviceInfo device)
    {
        int major, minor;
        Nvrtc.Check(Nvrtc.nvrtcVersion(&major, &minor));
        Version = string.Create(CultureInfo.InvariantCulture, $"{major}.{minor}");
        var newest = Supported().Where(a => a <= device.Capability).DefaultIfEmpty(Limits.ComputeCapabilityMin).Max();
        _isPtx = newest != device.Capability;
        // An architecture that this compiler does not know gets code that the driver finishes.
        var architecture = _isPtx ? $"compute_{newest}" : device.Architecture;
        _options = [$"--gpu-architecture={architecture}", "--std=c++17", "-lineinfo", KeepStackLimit];
    }

    public string Version { get; }

    /// <summary>All that decides about the result, the source apart.</summary>
    public string Circumstances => $"nvrtc {Version} {string.Join(' ', _options)}";

    /// <returns>A cubin, or PTX with a zero behind it.</returns>
    /// <exception cref="CudaException">The source does not compile; the message carries the log.</exception>
    public byte[] Compile(KernelSource source)
    {
        using var texts = new NativeTexts();
        var headers = source.Headers.Count;
        var contents = texts.Add(source.Headers.Select(h => h.Text));
        var names = texts.Add(source.Headers.Select(h => h.Name));
        nint program;
        Nvrtc.Check(Nvrtc.nvrtcCreateProgram(
            &program, texts.Add(source.Text), texts.Add(source.Name), headers, contents, names));
        try
        {
            var result = Nvrtc.nvrtcCompileProgram(program, _options.Length, texts.Add(_options));
            if (result != 0)
                throw new CudaException($"The kernels of {source.Name} do not compile with NVRTC {Version}:\n{Log(program)}");
            return _isPtx ? Ptx(program) : Cubin(program);
        }
        finally
        {
            Nvrtc.Check(Nvrtc.nvrtcDestroyProgram(&program));
        }
    }

    static int[] Supported()
    {
        int count;
        Nvrtc.Check(Nvrtc.nvrtcGetNumSupportedArchs(&count));
        var all = new int[count];
        fixed (int* first = all)
        {
            Nvrtc.Check(Nvrtc.nvrtcGetSupportedArchs(first));
        }
        return all;
    }

    static byte[] Cubin(nint program)
    {
        nuint bytes;
        Nvrtc.Check(Nvrtc.nvrtcGetCUBINSize(program, &bytes));
        var image = new byte[bytes];
        fixed (byte* first = image)
        {
            Nvrtc.Check(Nvrtc.nvrtcGetCUBIN(program, first));
        }
        return image;
    }

    static byte[] Ptx(nint program)
    {
        nuint bytes;
        Nvrtc.Check(Nvrtc.nvrtcGetPTXSize(program, &bytes));
        var image = new byte[bytes + 1];
        fixed (byte* first = image)
        {
            Nvrtc.Check(Nvrtc.nvrtcGetPTX(program, first));
        }
        return image;
    }

    static string Log(nint program)
    {
        nuint bytes;
        Nvrtc.Check(Nvrtc.nvrtcGetProgramLogSize(program, &bytes));
        var log = new byte[bytes + 1];
        fixed (byte* first = log)
        {
            Nvrtc.Check(Nvrtc.nvrtcGetProgramLog(program, first));
        }
        return Encoding.UTF8.GetString(log, 0, Math.Min((int)bytes, Limits.LogCharactersMax)).TrimEnd('\0', '\n');
    }
}

/// <summary>Zero-terminated texts and arrays of them, for the length of a call.</summary>
sealed unsafe class NativeTexts : IDisposable
{
    readonly List<nint> _owned = [];

    public byte* Add(string text)
    {
        _owned.Add(Marshal.StringToCoTaskMemUTF8(text));
        return (byte*)_owned[^1];
    }

    public byte** Add(IEnumerable<string> texts)
    {
        var all = texts.Select(text => (nint)Add(text)).ToArray();
        var array = (nint*)Marshal.AllocCoTaskMem((all.Length + 1) * sizeof(nint));
        _owned.Add((nint)array);
        all.CopyTo(new Span<nint>(array, all.Length));
        return (byte**)array;
    }

    public void Dispose() => _owned.ForEach(Marshal.FreeCoTaskMem);
}
