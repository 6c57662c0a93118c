using System.Runtime.InteropServices;
using System.Text;

namespace Hearth.Cuda.Tests;

/// <summary>Two cards that are none: the fake driver in the place of the real one, for the whole of a test process. All that
/// src/Cuda does is done, and the kernels run in the emulator.</summary>
static class FakeCards
{
    /// <summary>Of tests that count what the fake driver does, or change it: one after the other.</summary>
    public const string Collection = "fake cards";

    static readonly Lazy<string> _folder = new(Prepare);

    /// <summary>Where the libraries lie: what HEARTH_CUDA_LIB is set to.</summary>
    public static string Folder => _folder.Value;

    /// <summary>Of this process, empty at its start.</summary>
    public static string CacheFolder { get; } = Directory.CreateTempSubdirectory("hearth-cuda-").FullName;

    public static void Require()
    {
        Toolchain.Require();
        Environment.SetEnvironmentVariable("HEARTH_CUDA_LIB", Folder);
        // Where compiled kernels are kept if nothing is said.
        Environment.SetEnvironmentVariable("XDG_DATA_HOME", CacheFolder);
    }

    /// <summary>Changes what the fake driver is like: version, capability, memory.</summary>
    public static unsafe void Set(string what, long value)
    {
        var library = NativeLibrary.Load(Path.Combine(Folder, "libcuda.so.1"));
        fixed (byte* name = Encoding.UTF8.GetBytes(what + '\0'))
        {
            ((delegate* unmanaged<byte*, long, void>)NativeLibrary.GetExport(library, "fake_set"))(name, value);
        }
    }

    /// <summary>What the fake driver has counted: launches, graph_launches, compilations, searches (for algorithms).</summary>
    public static unsafe long Count(string what)
    {
        var library = NativeLibrary.Load(Path.Combine(Folder, "libcuda.so.1"));
        return ((delegate* unmanaged<long>)NativeLibrary.GetExport(library, $"fake_{what}"))();
    }

    static string Prepare()
    {
        var library = Toolchain.FakeDriver();
        var folder = Path.GetDirectoryName(library)!;
        foreach (var name in (string[])["libcuda.so.1", "libnvrtc.so.12", "libcublasLt.so.12"])
        {
            var link = Path.Combine(folder, name);
            var draft = $"{link}.{Environment.ProcessId}";
            File.CreateSymbolicLink(draft, library);
            File.Move(draft, link, overwrite: true);
        }
        return folder;
    }
}
