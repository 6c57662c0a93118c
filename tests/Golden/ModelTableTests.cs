using Hearth.Engine.Models;
using Xunit;

namespace Hearth.Golden.Tests;

public sealed class ModelTableTests
{
    static string File { get; } = Path.Combine(GoldenFolder.Repository, "docs", "models.md");

    [Fact]
    public void ThePageOfModelsIsWhatTheCodeHas()
    {
        var models = ModelTests.Models.Select(m => m.Data).ToArray();
        if (Environment.GetEnvironmentVariable("HEARTH_WRITE_DOCS") == "1")
            System.IO.File.WriteAllText(File, ModelTable.Page(models));
        var page = System.IO.File.ReadAllLines(File);
        Assert.Equal(ModelTable.Page([]).TrimEnd().Split('\n'), page.TakeWhile(line => !IsRow(line)));
        Assert.All(models, model => Assert.Contains(ModelTable.Row(model), page));
    }

    [Fact]
    public void EveryFamilyHasACase() =>
        Assert.Equal(Family.Names.Order(StringComparer.Ordinal),
            System.IO.File.ReadLines(File).Where(IsRow).Select(row => row.Split('|')[1].Trim()).Distinct());

    static bool IsRow(string line) => line.StartsWith("| ", StringComparison.Ordinal)
        && !line.StartsWith("| family", StringComparison.Ordinal) && !line.StartsWith("| ---", StringComparison.Ordinal);
}
