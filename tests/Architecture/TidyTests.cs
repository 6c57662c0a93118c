using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace Hearth.Architecture.Tests;

/// <summary>The house numbers. Exceptions are listed by name; the lists only shrink.</summary>
public sealed partial class TidyTests
{
    const int FunctionLinesMax = 70;
    const int FileLinesMax = 500;
    const int ColumnsMax = 130;

    static readonly string[] _projectsWithUnsafe = ["Kernels", "Cuda"];

    [Fact]
    public void NoFunctionIsLongerThanAScreen()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var tooLong =
            from path in Repository.Sources
            from function in CSharpSyntaxTree.ParseText(File.ReadAllText(path), cancellationToken: cancellation)
                .GetRoot(cancellation).DescendantNodes()
                .Where(node => node is BaseMethodDeclarationSyntax or LocalFunctionStatementSyntax or AccessorDeclarationSyntax)
            let span = function.GetLocation().GetLineSpan()
            let lines = span.EndLinePosition.Line - span.StartLinePosition.Line + 1
            where lines > FunctionLinesMax
            select $"{Repository.Relative(path)}:{span.StartLinePosition.Line + 1} is {lines} lines";
        Assert.Empty(tooLong);
    }

    [Fact]
    public void NoFileIsLongerThanFiveHundredLines() =>
        Assert.Empty(Repository.Sources.Where(path => File.ReadLines(path).Count() > FileLinesMax).Select(Repository.Relative));

    [Fact]
    public void NoLineIsWiderThanThePage() =>
        Assert.Empty(
            from path in Repository.Sources
            from line in File.ReadLines(path).Index()
            where line.Item.Length > ColumnsMax
            select $"{Repository.Relative(path)}:{line.Index + 1} has {line.Item.Length} columns");

    [Fact]
    public void NoMarksOfUnfinishedOrHiddenWork() =>
        Assert.Empty(
            from path in Repository.Sources
            from line in File.ReadLines(path).Index()
            where Unfinished().IsMatch(line.Item)
            select $"{Repository.Relative(path)}:{line.Index + 1}: {line.Item.Trim()}");

    [Fact]
    public void UnsafeCodeStaysInTheKernels() =>
        Assert.Empty(
            Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.csproj", SearchOption.AllDirectories)
                .Where(path => File.ReadAllText(path).Contains("<AllowUnsafeBlocks>true", StringComparison.Ordinal))
                .Select(Path.GetFileNameWithoutExtension)
                .Except(_projectsWithUnsafe));

    [GeneratedRegex(@"\b(TODO|FIXME|HACK|XXX)\b|#region|#pragma warning disable|NotImplementedException|catch\s*(\([^)]*\))?\s*\{\s*\}")]
    private static partial Regex Unfinished();
}
