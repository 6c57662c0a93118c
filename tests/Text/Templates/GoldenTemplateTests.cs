using System.Text.RegularExpressions;
using Hearth.Text.Templates;
using Xunit;

namespace Hearth.Text.Tests.Templates;

public sealed partial class GoldenTemplateTests
{
    public static TheoryData<string> Names => [.. GoldenTemplates.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryCaseRendersAsTheReferenceDoes(string name)
    {
        var mismatches = GoldenTemplates.Cases(name).Select(Mismatch).OfType<string>().ToList();
        Assert.True(mismatches.Count == 0, $"{mismatches.Count} mismatches:\n{string.Join("\n", mismatches.Take(5))}");
    }

    static string? Mismatch(GoldenCase golden)
    {
        try
        {
            var segments = ChatTemplate.Parse(golden.Template.Text, golden.Template.Name)
                .Render(golden.Context, TestContext.Current.CancellationToken);
            var text = string.Concat(segments.Select(s => s.Text));
            // Python prints where a method object lies in memory.
            var expected = golden.Output is null ? null : MemoryAddress().Replace(golden.Output, "");
            return text == expected
                ? null
                : $"{golden.Label}\n  expected {Show(expected, golden.Message)}\n  got      {Show(text, null)}";
        }
        catch (TemplateException error)
        {
            return error.Reason == golden.Message
                ? null
                : $"{golden.Label}\n  expected {Show(golden.Output, golden.Message)}\n  got      {Show(null, error.Reason)}";
        }
    }

    static string Show(string? output, string? message) => output is null ? $"the error: {message}" : $"\"{output}\"";

    [GeneratedRegex(" at 0x[0-9a-f]+")]
    private static partial Regex MemoryAddress();
}
