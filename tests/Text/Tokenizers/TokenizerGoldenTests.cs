using System.Text.Json;
using Xunit;

namespace Hearth.Text.Tests.Tokenizers;

/// <summary>Ids and texts against those of the Rust tokenizers library.</summary>
public sealed class TokenizerGoldenTests
{
    public static TheoryData<string> Names => [.. GoldenFolder.Names("tokenizers")];

    public static TheoryData<string> Checkpoints => [.. GoldenFolder.Names("e2e")];

    [Theory, MemberData(nameof(Names))]
    public void IdsOfEveryTextAreTheReference(string name) => CompareIds(Open(name), Cases(name));

    internal static void CompareIds(Tokenizer tokenizer, JsonElement cases)
    {
        var mismatches = new Mismatches();
        foreach (var item in cases.GetProperty("cases").EnumerateArray())
        {
            var text = item.GetProperty("text").GetString()!;
            var ids = Ids(item, "ids");
            mismatches.Compare($"ids of {text}", ids, tokenizer.Encode(text, addSpecialTokens: true));
            var plain = item.TryGetProperty("ids_no_special", out _) ? Ids(item, "ids_no_special") : ids;
            mismatches.Compare($"ids without special of {text}", plain, tokenizer.Encode(text, addSpecialTokens: false));
        }

        mismatches.AssertNone(comparedMin: 1000);
    }

    [Theory, MemberData(nameof(Names))]
    public void TextOfEveryIdSequenceIsTheReference(string name) => CompareTexts(Open(name), Cases(name));

    internal static void CompareTexts(Tokenizer tokenizer, JsonElement cases)
    {
        var mismatches = new Mismatches();
        foreach (var item in cases.GetProperty("cases").EnumerateArray())
        {
            Compare(item, "decode_skip", "decode_keep");
        }

        foreach (var item in cases.GetProperty("decode_cases").EnumerateArray())
        {
            Compare(item, "skip", "keep");
        }

        mismatches.AssertNone(comparedMin: 1000);

        void Compare(JsonElement item, string skip, string keep)
        {
            var ids = Ids(item, "ids");
            var what = $"text of {string.Join(' ', ids)}";
            mismatches.Compare(what, item.GetProperty(skip).GetString()!, tokenizer.Decode(ids, skipSpecialTokens: true));
            mismatches.Compare(what, item.GetProperty(keep).GetString()!, tokenizer.Decode(ids, skipSpecialTokens: false));
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void EveryPrefixOfAStreamDecodesAsTheReference(string name) => CompareStreams(Open(name), Cases(name));

    internal static void CompareStreams(Tokenizer tokenizer, JsonElement cases)
    {
        var mismatches = new Mismatches();
        foreach (var item in cases.GetProperty("stream_cases").EnumerateArray())
        {
            ComparePrefixes(tokenizer, Ids(item, "ids"), item.GetProperty("prefix_decodes"), mismatches);
        }

        mismatches.AssertNone(comparedMin: 100);
    }

    [Theory, MemberData(nameof(Names))]
    public void EveryPairOfTextsIsTheReference(string name) => ComparePairs(Open(name), Cases(name));

    internal static void ComparePairs(Tokenizer tokenizer, JsonElement cases)
    {
        var mismatches = new Mismatches();
        foreach (var item in cases.GetProperty("pair_cases").EnumerateArray())
        {
            var (first, second) = (item.GetProperty("a").GetString()!, item.GetProperty("b").GetString()!);
            var input = Assert.Single(tokenizer.EncodeInputs([(first, second)], trusted: true));
            var what = $"{first} + {second}";
            mismatches.Compare($"ids of {what}", Ids(item, "ids"), input.Ids);
            mismatches.Compare($"types of {what}", Ids(item, "type_ids"), input.TypeIds);
            var special = input.IsSpecial.Select(isSpecial => isSpecial ? 1 : 0);
            mismatches.Compare($"special tokens of {what}", Ids(item, "special_tokens_mask"), special);
        }

        mismatches.AssertNone(comparedMin: 60);
    }

    [Theory, MemberData(nameof(Checkpoints))]
    public void PromptsAndRepliesOfACheckpointAreTheReference(string name)
    {
        var tokenizer = Tokenizer.Load(GoldenFolder.PathOf("e2e", name));
        using var document = GoldenFolder.Json("e2e", name, "e2e.json");
        var mismatches = new Mismatches();
        foreach (var item in document.RootElement.GetProperty("cases").EnumerateArray())
        {
            if (!item.TryGetProperty("prompt", out var rendered))
            {
                continue; // The template refuses these messages.
            }

            var prompt = rendered.GetString()!;
            mismatches.Compare(prompt, Ids(item, "prompt_ids"), tokenizer.Encode(prompt, addSpecialTokens: false));
            ComparePrefixes(tokenizer, Ids(item, "greedy_ids"), item.GetProperty("prefix_texts"), mismatches);
        }

        mismatches.AssertNone(comparedMin: 20);
    }

    /// <summary>For each prefix: decoded at once and bit by bit, with what is out so far always a part of it.</summary>
    static void ComparePrefixes(Tokenizer tokenizer, int[] ids, JsonElement prefixes, Mismatches mismatches)
    {
        var stream = new IncrementalDecoder(tokenizer, skipSpecialTokens: true);
        var streamed = "";
        for (var count = 1; count <= ids.Length; count++)
        {
            var expected = prefixes[count - 1].GetString()!;
            var what = $"text of {string.Join(' ', ids.Take(count))}";
            streamed += stream.Push(ids[count - 1]);
            mismatches.Compare($"{what}, at once", expected, tokenizer.Decode(ids.AsSpan(0, count), skipSpecialTokens: true));
            mismatches.Compare($"{what}, streamed", expected[..Math.Min(streamed.Length, expected.Length)], streamed);

            var prefix = new IncrementalDecoder(tokenizer, skipSpecialTokens: true);
            mismatches.Compare($"{what}, flushed", expected,
                string.Concat(ids.Take(count).Select(prefix.Push).ToArray()) + prefix.Flush());
        }

        mismatches.Compare("whole stream", prefixes[ids.Length - 1].GetString()!, streamed + stream.Flush());
    }

    internal static JsonElement Cases(string name)
    {
        using var document = GoldenFolder.Json("tokenizers", name, "cases.json");
        return document.RootElement.Clone();
    }

    static Tokenizer Open(string name) => Tokenizer.Load(GoldenFolder.PathOf("tokenizers", name));

    static int[] Ids(JsonElement item, string member)
        => [.. item.GetProperty(member).EnumerateArray().Select(id => id.GetInt32())];
}
