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

    public static TheoryData<string> Names => [.. GoldenFolder.Names("tokenizers")];

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

    [Theory, MemberData(nameof(Names))]
    public void WhatAStreamShowsIsTheWholeTextAndNeverPartOfACodePoint(string name)
    {
        var tokenizer = Tokenizer.Load(GoldenFolder.PathOf("tokenizers", name));
        var random = new RandomText(seed: 4);
        for (var round = 0; round < 200; round++)
        {
            // Half of the rounds are the ids of a text, the others any ids: bytes that are no UTF-8, specials, none at all.
            var isText = round % 2 == 0;
            int[] ids = isText ? tokenizer.EncodePlain("x" + random.Text(20), addSpecialTokens: false)
                : [.. Enumerable.Range(0, random.Next(30)).Select(_ => random.Next(tokenizer.VocabularySize + 5))];
            var whole = tokenizer.Decode(ids, skipSpecialTokens: true);
            var decoder = new IncrementalDecoder(tokenizer, skipSpecialTokens: true);
            var streamed = new StringBuilder();
            foreach (var id in ids)
            {
                var pushed = decoder.Push(id);
                Assert.True(!isText || !pushed.Contains('\uFFFD') || whole.Contains('\uFFFD'));
                Assert.Equal(pushed, string.Concat(pushed.EnumerateRunes()));
                Assert.StartsWith(streamed.Append(pushed).ToString(), whole, StringComparison.Ordinal);
            }

            Assert.Equal(whole, streamed.Append(decoder.Flush()).ToString());
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

    /// <summary>A megabyte that took time by its square would take hours; the bound leaves room for busy machines.</summary>
    [Theory, MemberData(nameof(Names))]
    public void NoMegabyteTakesLongerThanItsLengthAllows(string name)
    {
        var tokenizer = Tokenizer.Load(GoldenFolder.PathOf("tokenizers", name));
        foreach (var unit in new[] { "a", " ", "ab", "A", "\u0301", "e\u0301\u0316" })
        {
            var text = string.Concat(Enumerable.Repeat(unit, 1_000_000 / unit.Length));
            var clock = Stopwatch.StartNew();
            var ids = tokenizer.EncodePlain(text, addSpecialTokens: false);
            tokenizer.Decode(ids, skipSpecialTokens: false);
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), $"a megabyte of '{unit}' took {clock.Elapsed}");
        }
    }
}
