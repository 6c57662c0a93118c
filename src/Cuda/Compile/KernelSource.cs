using System.Security.Cryptography;
using System.Text;

namespace Hearth.Cuda;

/// <summary>One .cu file of this assembly and the headers that it may include. Nothing is read from disk.</summary>
sealed record KernelSource(string Name, string Text, IReadOnlyList<(string Name, string Text)> Headers)
{
    /// <summary>All kernels of the backend.</summary>
    public static IReadOnlyList<KernelSource> All { get; } = ReadAll();

    /// <summary>What a compiled module is kept under: it changes with every input of the compiler.</summary>
    public string Key(params ReadOnlySpan<string> circumstances)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, Name, Text);
        foreach (var (name, text) in Headers)
            Append(hash, name, text);
        foreach (var circumstance in circumstances)
            Append(hash, "", circumstance);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    static void Append(IncrementalHash hash, string name, string text) =>
        hash.AppendData(Encoding.UTF8.GetBytes($"{name.Length} {text.Length} {name}{text}"));

    static KernelSource[] ReadAll()
    {
        var assembly = typeof(KernelSource).Assembly;
        var names = assembly.GetManifestResourceNames().Order(StringComparer.Ordinal).ToArray();
        (string, string)[] headers = [.. names.Where(n => Path.GetExtension(n) == ".cuh").Select(n => (n, Read(n)))];
        return [.. names.Where(n => Path.GetExtension(n) == ".cu").Select(n => new KernelSource(n, Read(n), headers))];

        string Read(string name)
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!, Encoding.UTF8);
            return reader.ReadToEnd();
        }
    }
}
