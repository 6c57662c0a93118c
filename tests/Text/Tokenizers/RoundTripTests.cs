using System.Diagnostics;
using System.Text;
using Xunit;

namespace Hearth.Text.Tests.Tokenizers;

/// <summary>Text to ids and back, and how long it takes at worst.</summary>
public sealed class RoundTripTests
{
    public static TheoryData<string> Lossless => new(
        "deepseek_bytelevel", "falcon_bytelevel", "gemma_spm", "gpt2_bytelevel", "llama2_metaspace_first", "llama2_spm",
        "llama3_bytelevel", "mistral_v3_spm", "o200k_bytelevel", "starcoder_bytelevel");

    [Theory, MemberData(nameof(Lossless))]
    public void TextComesBackAsItWas(string name)
    {
        var tokenizer = Tokenizer.Load(GoldenFolder.PathOf("tokenizers", name));
        var random = new RandomText(seed: 3);
        for (var round = 0; round < 300; round++)
        {
            // Some files take a first space off, so the text begins with a letter.
            var text = "x" + random.Text(20);
            Assert.Equal(text, tokenizer.Decode(tokenizer.EncodePlain(text, addSpecialTokens: false), skipSpecialTokens: true));
        }
    }

    [Theory, MemberData(nameof(Lossless))]
    public void AStreamNeverShowsPartOfACodePoint(string name)
    {
        var tokenizer = Tokenizer.Load(GoldenFolder.PathOf("tokenizers", name));
        var random = new RandomText(seed: 4);
        for (var round = 0; round < 100; round++)
        {
            var text = "x" + random.Text(20);
            var decoder = new IncrementalDecoder(tokenizer, skipSpecialTokens: true);
            var streamed = new StringBuilder();
            foreach (var id in tokenizer.EncodePlain(text, addSpecialTokens: false))
            {
                var pushed = decoder.Push(id);
                Assert.DoesNotContain('\uFFFD', pushed);
                Assert.Equal(pushed, string.Concat(pushed.EnumerateRunes()));
                streamed.Append(pushed);
            }

            Assert.Equal(text, streamed.Append(decoder.Flush()).ToString());
            Assert.Equal(0, decoder.PendingBytes);
        }
    }

    [Fact]
    public void BytesOfTheTokensAreTheBytesOfTheText()
    {
        foreach (var name in new[] { "llama3_bytelevel", "gemma_spm" })
        {
            var tokenizer = Tokenizer.Load(GoldenFolder.PathOf("tokenizers", name));
            var text = "Grüße, 世界 🎉!";
            var bytes = tokenizer.EncodePlain(text, addSpecialTokens: false).SelectMany(id => tokenizer.BytesOf(id).ToArray());
            Assert.Equal(text, Encoding.UTF8.GetString([.. bytes]));
        }
    }

    [Fact]
    public void ALongRunOfByteTokensIsShownBeforeItEnds()
    {
        var tokenizer = Tokenizer.Load(GoldenFolder.PathOf("tokenizers", "llama2_spm"));
        var text = string.Concat(Enumerable.Repeat("𠀀", 100));
        var decoder = new IncrementalDecoder(tokenizer, skipSpecialTokens: true);
        var shown = string.Concat(tokenizer.EncodePlain(text, addSpecialTokens: false).Select(decoder.Push));
        Assert.InRange(shown.Length, 150, 200);
        Assert.Equal(text, shown + decoder.Flush());
    }

    [Theory]
    [InlineData("llama3_bytelevel")]
    [InlineData("o200k_bytelevel")]
    [InlineData("gpt2_bytelevel")]
    [InlineData("qwen2_bytelevel")]
    [InlineData("bloom_bytelevel")]
    [InlineData("llama2_spm")]
    public void NoTextTakesQuadraticTime(string name)
    {
        var tokenizer = Tokenizer.Load(GoldenFolder.PathOf("tokenizers", name));
        var clock = Stopwatch.StartNew();
        foreach (var unit in new[] { "a", " ", "\n", "A", "é", "e\u0301", "\u0301", "🎉", " a", "<|", "1" })
        {
            tokenizer.EncodePlain(string.Concat(Enumerable.Repeat(unit, 60_000)), addSpecialTokens: false);
        }

        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), $"took {clock.Elapsed}");
    }
}
