using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Hearth.Cuda.Native;

/// <summary>Finds the driver, the compiler and cuBLASLt, and says what to install where one is missing. The folder that
/// HEARTH_CUDA_LIB names goes first.</summary>
static class NativeLibraries
{
    public const string Driver = "cuda", Nvrtc = "nvrtc", CublasLt = "cublasLt";
    public const string FolderVariable = "HEARTH_CUDA_LIB";

    static readonly Lock _gate = new();
    static readonly Dictionary<string, nint> _loaded = [];
    static readonly Dictionary<string, string> _paths = [];

    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "a resolver is set once, before any call")]
    internal static void Register() =>
        NativeLibrary.SetDllImportResolver(Assembly.GetExecutingAssembly(), (name, _, _) => Load(name));

    /// <summary>Where a library was found; null before it is loaded.</summary>
    public static string? PathOf(string name)
    {
        lock (_gate)
        {
            return _paths.GetValueOrDefault(name);
        }
    }

    /// <summary>An export that older libraries lack; zero then.</summary>
    public static nint Optional(string name, string export) =>
        NativeLibrary.TryGetExport(Load(name), export, out var address) ? address : 0;

    public static string Advice(string name) => name switch
    {
        Driver => "Install the NVIDIA driver, 525 or newer; in a container, ask for a GPU (nvidia.com/gpu, or docker run " +
            "--gpus all) with NVIDIA_DRIVER_CAPABILITIES=compute,utility; or use --device cpu.",
        Nvrtc => "Install CUDA's runtime compiler (package cuda-nvrtc-12-8 of NVIDIA's repository, or pip install " +
            $"nvidia-cuda-nvrtc-cu12), and name its folder in {FolderVariable} if it is not found.",
        _ => "Install cuBLAS (package libcublas-12-8 of NVIDIA's repository, or pip install nvidia-cublas-cu12), and name its " +
            $"folder in {FolderVariable} if it is not found.",
    };

    /// <exception cref="CudaException">It is nowhere; the message says what to install.</exception>
    static nint Load(string name)
    {
        lock (_gate)
        {
            if (_loaded.TryGetValue(name, out var library))
                return library;
            if (name is not (Driver or Nvrtc or CublasLt))
                return 0;
            foreach (var path in Candidates(name))
            {
                if (name == Nvrtc)
                    LoadBuiltins(path);
                if (NativeLibrary.TryLoad(path, out library))
                {
                    (_loaded[name], _paths[name]) = (library, path);
                    return library;
                }
            }
        }
        throw new CudaException(name == Driver
            ? $"There is no NVIDIA driver on this machine: libcuda.so.1 was not found. {Advice(name)}"
            : $"lib{name}.so.{MajorMax()} was not found. {Advice(name)}");
    }

    /// <summary>The compiler looks for its builtins by name among what is loaded.</summary>
    static void LoadBuiltins(string path)
    {
        if (Path.GetDirectoryName(path) is not { Length: > 0 } folder || !Directory.Exists(folder))
            return;
        foreach (var builtins in Directory.EnumerateFiles(folder, "libnvrtc-builtins.so.*"))
            _ = NativeLibrary.TryLoad(builtins, out _);
    }

    static IEnumerable<string> Candidates(string name)
    {
        var files = name == Driver ? ["libcuda.so.1"] : Versions().Select(major => $"lib{name}.so.{major}").ToArray();
        foreach (var folder in Folders(name))
        {
            foreach (var file in files)
            {
                var path = Path.Combine(folder, file);
                if (folder.Length == 0 || File.Exists(path))
                    yield return path;
            }
        }
    }

    /// <summary>An empty folder stands for the loader's own search.</summary>
    static IEnumerable<string> Folders(string name)
    {
        if (Environment.GetEnvironmentVariable(FolderVariable) is { Length: > 0 } named)
            yield return named;
        foreach (var variable in (string[])["CUDA_HOME", "CUDA_PATH"])
        {
            if (name != Driver && Environment.GetEnvironmentVariable(variable) is { Length: > 0 } home)
                yield return Path.Combine(home, "lib64");
        }
        yield return "";
        yield return "/usr/lib/x86_64-linux-gnu";
        yield return "/usr/lib/aarch64-linux-gnu";
        yield return name == Driver ? "/usr/lib/wsl/lib" : "/usr/local/cuda/lib64";
        if (name == Driver)
            yield break;
        foreach (var python in Wheels(name))
            yield return python;
    }

    /// <summary>Where pip puts NVIDIA's wheels.</summary>
    static IEnumerable<string> Wheels(string name)
    {
        string[] parts = name == Nvrtc ? ["cu13", "cuda_nvrtc"] : ["cu13", "cublas"];
        return from root in (string[])["/usr/local/lib", "/usr/lib/python3", "/opt"]
               where Directory.Exists(root)
               from python in Directory.EnumerateDirectories(root, "python3*").Append(root)
               from packages in (string[])["dist-packages", "site-packages"]
               from part in parts
               let folder = Path.Combine(python, packages, "nvidia", part, "lib")
               where Directory.Exists(folder)
               select folder;
    }

    /// <summary>Newest first, but no newer than the driver: a newer one fails at run time.</summary>
    static IEnumerable<int> Versions()
    {
        for (var major = MajorMax(); major >= 12; major--)
            yield return major;
    }

    static unsafe int MajorMax()
    {
        int version;
        Native.Driver.cuDriverGetVersion(&version).Check();
        return Math.Min(version / 1000, 13);
    }
}
