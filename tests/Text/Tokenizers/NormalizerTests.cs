using System.Text.Json;
using Hearth.Text.Tokenizers;
using Xunit;

namespace Hearth.Text.Tests.Tokenizers;

/// <summary>Places where Unicode is easily got wrong; what is expected is what the Rust library gives.</summary>
public sealed class NormalizerTests
{
    [Theory]
    [InlineData("NFKC", "x\u0385", "x \u0308\u0301")]
    [InlineData("NFKC", "\u1E9B\u03D3", "\u1E61\u038E")]
    [InlineData("NFKC", "\uFB01\u2460\u32FF\u33A9", "fi1\u32FFPa")]
    [InlineData("NFD", "\uAC01\u00E9", "\u1100\u1161\u11A8e\u0301")]
    [InlineData("NFC", "\u1100\u1161\u11A8e\u0301", "\uAC01\u00E9")]
    [InlineData("StripAccents", "e\u0301\u08D3\u0C3C", "e\u08D3\u0C3C")]
    [InlineData("Lowercase", "\u0130\u03A3\U00010400", "i\u0307\u03C3\U00010428")]
    [InlineData("Nmt", "a\u0001\u200B\u2581b", "a  b")]
    [InlineData("BertNormalizer", "\0A\u00C9\u4F60\u0085b\uFFFD\u1AC1", "ae \u4F60 b\u1AC1")]
    public void TextBecomesWhatTheReferenceMakesOfIt(string type, string text, string expected)
    {
        var steps = Normalizer.ReadAll(JsonField.Root("test", JsonSerializer.SerializeToElement(new { type })));
        Assert.Equal(expected, Assert.Single(steps).Apply(text));
    }

    [Theory]
    [InlineData(@"\d+(?=(?:\d{3})*\b)", "1010\u2167 1000", "1000")]
    [InlineData(@"\w+", "x\u00B2\U0001F130\u200D", "x\u00B2\U0001F130")]
    [InlineData(@"[\p{L}&&[^\p{Han}]]+", "a\u4F60\U00020000b", "a|b")]
    [InlineData(@"[\p{Han}]+", "a\u4F60\U00020000b\U00010428", "\u4F60\U00020000")]
    public void PatternsMatchAsOnigurumaDoes(string pattern, string text, string expected)
    {
        var matches = new List<Cut>();
        var field = JsonField.Root("test", JsonSerializer.SerializeToElement(new { Regex = pattern }));
        new RegexMatcher(field["Regex"]).Find(text, matches);
        Assert.Equal(expected, string.Join('|', matches.Select(match => text[match.Start..match.End])));
    }
}
