using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Xunit;

namespace Hearth.Cuda.Tests;

/// <summary>clang-19, which turns the kernels into PTX for a card and into C++ for the processor.</summary>
static class Toolchain
{
    const string Compiler = "clang++-19";

    static readonly string _root = Path.GetFullPath(Path.Combine(Here(), "..", "..", ".."));

    public static string Kernels { get; } = Path.Combine(_root, "src", "Cuda", "Kernels");

    static string Emulator { get; } = Path.Combine(_root, "tests", "Cuda", "Emulator");

    static string Fake { get; } = Path.Combine(_root, "tests", "Cuda", "FakeDriver");

    /// <summary>What was made of the same sources before is kept here.</summary>
    static string Made { get; } = Path.Combine(_root, "artifacts", "cuda");

    public static IEnumerable<string> Sources =>
        Directory.EnumerateFiles(Kernels, "*.cu").Select(f => Path.GetFileName(f)!).Order();

    public static bool IsThere { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Any(folder => File.Exists(Path.Combine(folder, Compiler)));

    public static void Require() => Assert.SkipUnless(IsThere, "clang-19 is missing: install it to check the CUDA kernels");

    /// <summary>PTX of one source; a warning is a failure.</summary>
    public static string Ptx(string source, string architecture)
    {
        var path = Path.Combine(Kernels, source);
        return Cached($"{source}.{architecture}.ptx", Digest([path, .. Headers]), target => Run([
            "-x", "cuda", "--cuda-device-only", "-nocudainc", "-nocudalib", $"--cuda-gpu-arch={architecture}",
            "--cuda-feature=+ptx83", "-std=c++17", "-O2", "-Wall", "-Werror", "-S", path, "-o", target]));
    }

    /// <summary>The kernels and the emulator as a shared library.</summary>
    public static string Library() => Library("libemulated.so", Directory.EnumerateFiles(Emulator, "*.cu"));

    /// <summary>The same with the fake driver, compiler and cuBLASLt around it.</summary>
    public static string FakeDriver() => Library("libfake.so", Directory.EnumerateFiles(Fake, "*.cpp"));

    static string Library(string name, IEnumerable<string> more)
    {
        string[] sources = [.. Sources.Select(s => Path.Combine(Kernels, s)), .. Directory.EnumerateFiles(Emulator, "*.cpp"),
            .. more];
        var objects = new string[sources.Length];
        Parallel.For(0, sources.Length, new ParallelOptions { MaxDegreeOfParallelism = 2 }, i => objects[i] =
            Cached($"{Path.GetFileName(sources[i])}.o", Digest([sources[i], .. Headers]), target => Run([
                "-x", "c++", "-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-march=x86-64-v3",
                "-DHEARTH_EMULATED", "-I", Kernels, "-I", Emulator, "-Wall", "-Werror", "-Wno-pass-failed",
                "-fsanitize=alignment,bounds", "-fsanitize-trap=alignment,bounds", "-c", sources[i], "-o", target])));
        return Cached(name, Digest([.. sources, .. Headers]), target => Run(["-shared", .. objects, "-o", target]));
    }

    static IEnumerable<string> Headers =>
        new[] { Kernels, Emulator, Fake }.SelectMany(Directory.EnumerateFiles).Where(f => Path.GetExtension(f) is ".cuh" or ".h");

    /// <summary>Makes a file unless the same sources gave it before. Another process may do so too: the file appears
    /// whole.</summary>
    static string Cached(string name, string digest, Action<string> make)
    {
        var path = Path.Combine(Made, digest, name);
        if (File.Exists(path))
            return path;
        Directory.CreateDirectory(Path.Combine(Made, digest));
        var draft = $"{path}.{Environment.ProcessId}";
        make(draft);
        File.Move(draft, path, overwrite: true);
        return path;
    }

    static string Digest(IEnumerable<string> files)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in files.Order(StringComparer.Ordinal))
            hash.AppendData(Encoding.UTF8.GetBytes($"{Path.GetFileName(file)}\n{File.ReadAllText(file)}\n"));
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    }

    static void Run(string[] arguments)
    {
        var start = new ProcessStartInfo(Compiler, arguments) { RedirectStandardError = true, RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{Compiler} {string.Join(' ', arguments)}\n{errors}{output.Result}");
    }

    static string Here([CallerFilePath] string file = "") => Path.GetDirectoryName(file)!;
}
