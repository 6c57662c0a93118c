using System.Text.RegularExpressions;
using System.Xml.Linq;
using Xunit;

namespace Hearth.Architecture.Tests;

/// <summary>The import table of docs/ARCHITECTURE.md is the law: it is read from there.</summary>
public sealed partial class LayeringTests
{
    [Fact]
    public void ProjectsImportOnlyWhatTheTableAllows()
    {
        var table = ImportTable();
        var wrong = new List<string>();
        foreach (var path in Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.csproj", SearchOption.AllDirectories))
        {
            var project = Path.GetFileNameWithoutExtension(path);
            var imports = XDocument.Load(path).Descendants("ProjectReference")
                .Select(e => Path.GetFileNameWithoutExtension(e.Attribute("Include")!.Value.Replace('\\', '/')));
            if (!table.TryGetValue(project, out var allowed))
                wrong.Add($"src/{project} is not in the table");
            else
                wrong.AddRange(imports.Except(allowed).Select(import => $"src/{project} must not import {import}"));
        }
        Assert.Empty(wrong);
    }

    [Fact]
    public void TheTableNamesEveryProject()
    {
        var projects = Directory.EnumerateDirectories(Path.Combine(Repository.Root, "src")).Select(Path.GetFileName).Order();
        Assert.Equal(projects, ImportTable().Keys.Order());
    }

    [Fact]
    public void NoProjectSwitchesTransitiveReferencesBackOn()
    {
        Assert.DoesNotContain(
            Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.csproj", SearchOption.AllDirectories),
            path => File.ReadAllText(path).Contains("DisableTransitiveProjectReferences", StringComparison.Ordinal));
    }

    /// <summary>Rows such as <c>| 2 | `src/Engine` | … | Contracts, Kernels, Cuda |</c>.</summary>
    static Dictionary<string, string[]> ImportTable()
    {
        var table = new Dictionary<string, string[]>();
        foreach (Match row in Row().Matches(File.ReadAllText(Path.Combine(Repository.Root, "docs", "ARCHITECTURE.md"))))
        {
            var imports = row.Groups["imports"].Value.Trim();
            table[row.Groups["project"].Value] = imports == "nothing" ? [] : imports.Split(", ");
        }
        return table;
    }

    [GeneratedRegex(@"^\| \d \| `src/(?<project>\w+)` \|[^|]*\|(?<imports>[^|]*)\|\s*$", RegexOptions.Multiline)]
    private static partial Regex Row();
}
