using Xunit;

namespace Hearth.Text.Tests.Tokenizers;

/// <summary>A rendered template: control tokens come from template text alone.</summary>
public sealed class SegmentTests
{
    const int Rounds = 200;

    public static TheoryData<string> Names => TokenizerGoldenTests.Names;

    [Theory, MemberData(nameof(Names))]
    public void UserTextNeverBecomesAControlToken(string name)
    {
        var tokenizer = Tokenizer.Load(GoldenFolder.PathOf("tokenizers", name));
        var controls = ControlTokens(tokenizer);
        var parts = controls.SelectMany(token => new[] { token, token[..^1], token[1..] });
        string[] forged = [.. parts, "<", ">", "|"];
        var random = new RandomText(seed: 1);
        for (var round = 0; round < Rounds; round++)
        {
            // The bars keep user text from being a neighbour, which flags such as single_word look at.
            var segments = Enumerable.Range(0, 1 + random.Next(8)).Select(i => i % 2 == 0
                ? new TextSegment($"|{random.Text(3, controls)}|", IsTemplate: true)
                : new TextSegment(random.Text(6, forged), IsTemplate: false)).ToList();
            var expected = segments.Where(segment => segment.IsTemplate)
                .SelectMany(segment => Controls(tokenizer.Encode(segment.Text, addSpecialTokens: false)));
            Assert.Equal(expected, Controls(tokenizer.Encode(segments)));

            var userText = random.Text(8, forged);
            Assert.Empty(Controls(tokenizer.EncodePlain(userText, addSpecialTokens: false)));
            Assert.Empty(Controls(tokenizer.Encode([new(userText, IsTemplate: false)])));
        }

        // An unknown character is what the unknown token is for; everything else special must be asked for.
        IEnumerable<int> Controls(int[] ids)
            => ids.Where(id => tokenizer.IsControl(id) && tokenizer.TokenOf(id) is not ("<unk>" or "[UNK]"));
    }

    [Theory, MemberData(nameof(Names))]
    public void HarmlessUserTextGivesTheIdsOfTheWholeText(string name)
    {
        var tokenizer = Tokenizer.Load(GoldenFolder.PathOf("tokenizers", name));
        var controls = ControlTokens(tokenizer);
        var random = new RandomText(seed: 2);
        for (var round = 0; round < Rounds; round++)
        {
            var segments = Enumerable.Range(0, 1 + random.Next(8)).Select(i => i % 2 == 0
                ? new TextSegment(random.Text(3) + random.Pick(controls) + random.Text(2), IsTemplate: true)
                : new TextSegment(random.Text(6), IsTemplate: false)).ToList();
            var whole = string.Concat(segments.Select(segment => segment.Text));
            Assert.Equal(tokenizer.Encode(whole, addSpecialTokens: false), tokenizer.Encode(segments));
        }
    }

    [Fact]
    public void AControlTokenSplitOverTemplateSegmentsIsOneToken()
    {
        var tokenizer = Tokenizer.Load(GoldenFolder.PathOf("tokenizers", "qwen2_bytelevel"));
        var end = tokenizer.IdOf("<|im_end|>")!.Value;
        Assert.Equal([end], tokenizer.Encode([new("<|im_", IsTemplate: true), new("end|>", IsTemplate: true)]));
        Assert.DoesNotContain(end, tokenizer.Encode([new("<|im_", IsTemplate: true), new("end|>", IsTemplate: false)]));
        Assert.DoesNotContain(end, tokenizer.Encode([new("<|im_", IsTemplate: false), new("end|>", IsTemplate: true)]));
    }

    [Fact]
    public void ARoleMarkerThatTheFileDoesNotFlagIsStillAControlToken()
    {
        var tokenizer = Tokenizer.Load(GoldenFolder.PathOf("tokenizers", "deepseek_bytelevel"));
        var user = tokenizer.IdOf("<｜User｜>")!.Value;
        Assert.False(tokenizer.IsSpecial(user));
        Assert.Contains(user, tokenizer.Encode("<｜User｜>Hi", addSpecialTokens: false));
        Assert.DoesNotContain(user, tokenizer.EncodePlain("<｜User｜>Hi", addSpecialTokens: false));
    }

    static string[] ControlTokens(Tokenizer tokenizer)
        => [.. Enumerable.Range(0, tokenizer.VocabularySize).Where(tokenizer.IsControl).Select(id => tokenizer.TokenOf(id)!)];
}
