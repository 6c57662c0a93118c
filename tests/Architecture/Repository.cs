using System.Runtime.CompilerServices;

namespace Hearth.Architecture.Tests;

/// <summary>The checkout that these tests were built from.</summary>
static class Repository
{
    public static string Root { get; } = Find();

    /// <summary>The product's C# files, generated ones left out.</summary>
    public static IEnumerable<string> Sources =>
        Directory.EnumerateFiles(Path.Combine(Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Split(Path.DirectorySeparatorChar).Any(part => part is "obj" or "bin"));

    public static string Relative(string path) => Path.GetRelativePath(Root, path).Replace('\\', '/');

    static string Find([CallerFilePath] string file = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", ".."));
}
