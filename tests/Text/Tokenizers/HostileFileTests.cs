using System.Diagnostics;
using System.Text.Json.Nodes;
using Xunit;

namespace Hearth.Text.Tests.Tokenizers;

/// <summary>Broken and hostile files give an error that names file and field, and quickly.</summary>
public sealed class HostileFileTests : IDisposable
{
    const string Good = """
        {
          "added_tokens": [{"id": 4, "content": "<s>", "special": true}],
          "normalizer": null,
          "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "b+"}, "behavior": "Isolated"},
          "post_processor": null,
          "decoder": {"type": "ByteLevel"},
          "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "abb": 3}, "merges": ["a b", "ab b"]}
        }
        """;

    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hearth-tokenizer-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void TheFileThatTheOthersAreMadeFromIsGood()
        => Assert.Equal([4, 0, 1], Load(Good).Encode("<s>ab", addSpecialTokens: false));

    [Theory]
    [InlineData("\"b\": 1", "\"b\": -1", "model.vocab.b")]
    [InlineData("\"b\": 1", "\"b\": 0", "model.vocab")]
    [InlineData("\"b\": 1", "\"b\": 4294967296", "model.vocab.b")]
    [InlineData("\"b\": 1", "\"b\": 99999999", "model.vocab.b")]
    [InlineData("\"b\": 1", "\"b\": 1.5", "model.vocab.b")]
    [InlineData("\"b\": 1", "\"b\": \"1\"", "model.vocab.b")]
    [InlineData("\"b\": 1", "\"b\": 1, \"a\": 5", "model.vocab.a")]
    [InlineData("\"b\": 1", "\"b\": 1, \"\\ud800\": 5", "model.vocab")]
    [InlineData("\"vocab\": {", "\"vocab\": [], \"other\": {", "model.vocab")]
    [InlineData("\"vocab\": {", "\"other\": {", "model.vocab")]
    [InlineData("\"ab b\"", "\"ab c\"", "model.merges[1]")]
    [InlineData("\"ab b\"", "\"b b\"", "model.merges[1]")]
    [InlineData("\"ab b\"", "\"abb\"", "model.merges[1]")]
    [InlineData("\"ab b\"", "\"a b b\"", "model.merges[1]")]
    [InlineData("\"ab b\"", "[\"a\", \"b\", \"b\"]", "model.merges[1]")]
    [InlineData("\"ab b\"", "7", "model.merges[1]")]
    [InlineData("\"<s>\"", "\"\"", "added_tokens[0].content")]
    [InlineData("\"<s>\"", "\" \"", "added_tokens[0].content")]
    [InlineData("\"<s>\"", "\"\\udc00\"", "added_tokens[0].content")]
    [InlineData("\"<s>\"", "null", "added_tokens[0].content")]
    [InlineData("\"id\": 4", "\"id\": -4", "added_tokens[0].id")]
    [InlineData("\"id\": 4", "\"id\": 2147483647", "added_tokens[0].id")]
    [InlineData("[{\"id\": 4", "[{\"id\": 4, \"content\": \"x\"}, {\"id\": 4", "added_tokens[1].id")]
    [InlineData("\"special\": true", "\"special\": 1", "added_tokens[0].special")]
    [InlineData("\"BPE\"", "\"Magic\"", "model.type")]
    [InlineData("\"BPE\"", "\"BPE\", \"unk_token\": \"<unk>\"", "model.unk_token")]
    [InlineData("\"BPE\"", "\"BPE\", \"dropout\": 0.1", "model.dropout")]
    [InlineData("{\"type\": \"ByteLevel\"}", "{\"type\": \"Magic\"}", "decoder.type")]
    [InlineData("\"normalizer\": null", "\"normalizer\": {\"type\": \"Magic\"}", "normalizer.type")]
    [InlineData("\"post_processor\": null", "\"post_processor\": {\"type\": \"Bert\"}", "post_processor.type")]
    [InlineData("\"Isolated\"", "\"Sideways\"", "pre_tokenizer.behavior")]
    [InlineData("\"b+\"", "\"(b\"", "pre_tokenizer.pattern.Regex")]
    [InlineData("\"b+\"", "\"b[\"", "pre_tokenizer.pattern.Regex")]
    [InlineData("\"b+\"", "\"b\\\\\"", "pre_tokenizer.pattern.Regex")]
    [InlineData("\"b+\"", "\"(?<n>b)\\\\k<n>\"", "pre_tokenizer.pattern.Regex")]
    [InlineData("\"b+\"", "\"*\"", "pre_tokenizer.pattern.Regex")]
    [InlineData("\"b+\"", "\"(?=a)(a|aa)+$\"", "pre_tokenizer.pattern.Regex")]
    [InlineData("\"b+\"", "\"(\\\\s|\\\\s\\\\s)+(?!.)\"", "pre_tokenizer.pattern.Regex")]
    [InlineData("{\n", "[\n", "")]
    public void ABrokenFileIsRefusedWithItsField(string part, string replacement, string field)
    {
        Assert.Contains(part, Good, StringComparison.Ordinal);
        var clock = Stopwatch.StartNew();
        var error = Assert.Throws<TokenizerException>(() => Load(Good.Replace(part, replacement, StringComparison.Ordinal)));
        Assert.Equal(field, error.Field);
        Assert.Contains("tokenizer.json", error.Message, StringComparison.Ordinal);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"took {clock.Elapsed}");
    }

    [Fact]
    public void AFileThatIsMissingIsNamed()
    {
        var error = Assert.Throws<TokenizerException>(() => Tokenizer.Load(_folder.FullName));
        Assert.Contains(Path.Combine(_folder.FullName, "tokenizer.json"), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DeepNestingIsRefused()
    {
        const string Open = """{"type": "Sequence", "normalizers": [""";
        var deep = string.Concat(Enumerable.Repeat(Open, 20)) + string.Concat(Enumerable.Repeat("]}", 20));
        var json = Good.Replace("\"normalizer\": null", $"\"normalizer\": {deep}", StringComparison.Ordinal);
        Assert.Throws<TokenizerException>(() => Load(json));
    }

    [Fact]
    public void ATextThatStepsBlowUpIsRefused()
    {
        var step = """{"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaaaaaaaaaa"}""";
        var steps = $$"""{"type": "Sequence", "normalizers": [{{string.Join(',', Enumerable.Repeat(step, 30))}}]}""";
        var tokenizer = Load(Good.Replace("\"normalizer\": null", $"\"normalizer\": {steps}", StringComparison.Ordinal));
        Assert.Throws<TokenizerException>(() => tokenizer.Encode("aaa", addSpecialTokens: false));
    }

    [Fact]
    public void TokensThatOnlyTheConfigurationKnowsAreControlTokens()
    {
        const string Config = """
            {"eos_token": {"content": "abb"}, "bos_token": null,
             "added_tokens_decoder": {"4": {"content": "<s>"}, "9": {"content": "<end>", "special": true}}}
            """;
        File.WriteAllText(Path.Combine(_folder.FullName, "tokenizer_config.json"), Config);
        var tokenizer = Load(Good);
        Assert.Equal([0, 3, 9], tokenizer.Encode("aabb<end>", addSpecialTokens: false));
        Assert.Equal([0, 0, 1, 1], tokenizer.EncodePlain("aabb", addSpecialTokens: false));
        Assert.Equal(10, tokenizer.VocabularySize);

        File.WriteAllText(Path.Combine(_folder.FullName, "tokenizer_config.json"), """{"added_tokens_decoder": {"x": {}}}""");
        Assert.Equal("added_tokens_decoder.x", Assert.Throws<TokenizerException>(() => Load(Good)).Field);
    }

    /// <summary>Values of a real file put in each other's place: it loads, or is refused with an error of its own kind.</summary>
    [Theory]
    [InlineData("added_token_flags")]
    [InlineData("gemma_spm")]
    [InlineData("llama3_bytelevel")]
    [InlineData("mistral_v3_spm")]
    [InlineData("albert_unigram")]
    [InlineData("bert_uncased_wordpiece")]
    public void AnyMixtureOfValuesLoadsOrIsRefused(string name)
    {
        var original = File.ReadAllText(GoldenFolder.PathOf("tokenizers", name, "tokenizer.json"));
        var random = new Random(7);
        var refused = 0;
        for (var round = 0; round < 60; round++)
        {
            var root = JsonNode.Parse(original)!.AsObject();
            var spots = new List<JsonNode>();
            Collect(root, spots, random);
            var target = spots[random.Next(spots.Count)];
            JsonNode?[] values = [null, -1, 0, 1e300, true, "", "\0", "Sequence", new JsonArray(), new JsonObject()];
            var pick = random.Next(values.Length + 1);
            target.ReplaceWith(pick < values.Length ? values[pick] : spots[random.Next(spots.Count)].DeepClone());
            try
            {
                Load(root.ToJsonString()).Encode("Hello <s> wörld 🎉", addSpecialTokens: true);
            }
            catch (TokenizerException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 10, 59);

        // A few members of the long lists stand for all.
        static void Collect(JsonNode node, List<JsonNode> spots, Random random)
        {
            var children = node is JsonObject members ? members.Select(member => member.Value)
                : node is JsonArray items ? items : Enumerable.Empty<JsonNode?>();
            var present = children.OfType<JsonNode>().ToArray();
            foreach (var child in present.Length > 12 ? random.GetItems(present, 12) : present)
            {
                spots.Add(child);
                Collect(child, spots, random);
            }
        }
    }

    Tokenizer Load(string json)
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "tokenizer.json"), json);
        return Tokenizer.Load(_folder.FullName);
    }
}
