using System.Text.Json;
using Hearth.Text.Tokenizers;
using Xunit;

namespace Hearth.Text.Tests.Tokenizers;

/// <summary>The patterns written by hand against the regular expressions that they stand for.</summary>
public sealed class MatcherTests
{
    public static TheoryData<string> Patterns => new(Gpt2Matcher.Pattern, Llama3Matcher.Pattern, Llama3Matcher.PatternOfQwen2);

    [Theory, MemberData(nameof(Patterns))]
    public void HandWrittenPatternsMatchAsTheirRegularExpressions(string pattern)
    {
        var json = JsonSerializer.SerializeToElement(new { Regex = pattern });
        var field = JsonField.Root("test", json);
        var byHand = Matcher.Read(field);
        var reference = new RegexMatcher(field["Regex"]);
        Assert.IsNotType<RegexMatcher>(byHand);

        string[] edges =
        [
            "'", "'S", "'ſ", "'rE", "'l", "'Ll", "''d", "\r", "\n", "\r\n", " \n ", "   ", "\u00A0", "\u2028", "\u0085", "\u0301",
            "½", "²", "𝟙", "𝔘", "🎉", "𐄁", "_", "-", "\u200D", "\u180E", "ᛮ", "7", "x",
        ];
        var random = new RandomText(seed: 6);
        for (var round = 0; round < 5000; round++)
        {
            var text = random.Text(8, edges);
            Assert.Equal(Find(reference, text), Find(byHand, text));
        }
    }

    static List<Cut> Find(Matcher matcher, string text)
    {
        var matches = new List<Cut>();
        matcher.Find(text, matches);
        return matches;
    }
}
