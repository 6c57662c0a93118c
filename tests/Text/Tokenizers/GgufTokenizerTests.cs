using System.Text.Json;
using Hearth.Text.Templates;
using Xunit;

namespace Hearth.Text.Tests.Tokenizers;

/// <summary>A tokenizer made of a GGUF file's lists gives the ids of the tokenizer.json that it was converted from.</summary>
public sealed class GgufTokenizerTests
{
    [Theory]
    [InlineData("llama3_bytelevel", "llama-bpe")]
    [InlineData("qwen2_bytelevel", "qwen2")]
    [InlineData("gpt2_bytelevel", "gpt-2")]
    [InlineData("starcoder_bytelevel", "starcoder")]
    [InlineData("falcon_bytelevel", "falcon")]
    [InlineData("o200k_bytelevel", "gpt-4o")]
    [InlineData("deepseek_bytelevel", "deepseek-v3")]
    [InlineData("llama2_spm", null)]
    public void IdsAndTextsAreThoseOfTheReference(string name, string? pre)
    {
        var tokenizer = Tokenizer.Load(Vocabulary(GoldenFolder.PathOf("tokenizers", name), pre));
        using var cases = GoldenFolder.Json("tokenizers", name, "cases.json");
        TokenizerGoldenTests.CompareIds(tokenizer, cases.RootElement);
        TokenizerGoldenTests.CompareTexts(tokenizer, cases.RootElement);
    }

    /// <summary>Chat checkpoints with the name GGUF has for their pattern, as far as the folder holds them.</summary>
    public static TheoryData<string, string?> Chats => [.. GoldenFolder.Names("e2e").SelectMany(name => name switch
    {
        "llama3_chat" => [(name, "llama-bpe")],
        "qwen25_chat" => [(name, "qwen2")],
        "gemma_chat" => [(name, (string?)null)],
        _ => Array.Empty<(string, string?)>(),
    })];

    [Theory, MemberData(nameof(Chats))]
    public void ARenderedChatHasTheSameIds(string name, string? pre)
    {
        var vocabulary = Vocabulary(GoldenFolder.PathOf("e2e", name), pre);
        var tokenizer = Tokenizer.Load(vocabulary);
        var (expected, template) = (ChatTemplateFile.Load(GoldenFolder.PathOf("e2e", name))!, ChatTemplateFile.Load(vocabulary)!);
        Assert.Equal((expected.BosToken, expected.EosToken), (template.BosToken, template.EosToken));
        using var cases = GoldenFolder.Json("e2e", name, "e2e.json");
        foreach (var item in cases.RootElement.GetProperty("cases").EnumerateArray())
        {
            if (!item.TryGetProperty("prompt_ids", out var list))
                continue; // The template refuses these messages.
            int[] ids = [.. list.EnumerateArray().Select(id => id.GetInt32())];
            Assert.Equal(ids, tokenizer.Encode(item.GetProperty("prompt").GetString()!, addSpecialTokens: false));
        }
        Assert.Contains(Render(template), segment => segment.Text.Contains("Hello!", StringComparison.Ordinal));
        Assert.Equal(Render(expected), Render(template));
    }

    [Fact]
    public void AVocabularyThatMakesNoTokenizerIsNamed()
    {
        var sound = Vocabulary(GoldenFolder.PathOf("tokenizers", "gpt2_bytelevel"), "gpt-2");
        Refused(sound with { Model = "bert" }, "tokenizer.ggml.model");
        Refused(sound with { Pre = "magic" }, "tokenizer.ggml.pre");
        Refused(sound with { Pre = null }, "tokenizer.ggml.pre");
        Refused(sound with { Tokens = [] }, "tokenizer.ggml.tokens");
        Refused(sound with { Types = [1] }, "tokenizer.ggml.token_type");
        Refused(sound with { Merges = null }, "tokenizer.ggml.merges");
        Refused(sound with { Model = "llama" }, "tokenizer.ggml.scores");
        Refused(sound with { Merges = ["a b c"] }, "model.merges[0]");
        Refused(sound with { Tokens = [.. sound.Tokens.Select(_ => "a")] }, "model.vocab.a");

        static void Refused(GgufVocabulary vocabulary, string field)
        {
            var error = Assert.Throws<TokenizerException>(() => Tokenizer.Load(vocabulary));
            Assert.Equal((vocabulary.File, field), (error.File, error.Field));
        }
    }

    static IReadOnlyList<TextSegment> Render(ChatTemplateFile file) => file.Default.Render(
        new TemplateContext
        {
            Messages = [new TemplateMessage("user", "Hello!")],
            AddGenerationPrompt = true,
            BosToken = file.BosToken,
            EosToken = file.EosToken,
            PadToken = file.PadToken,
            UnkToken = file.UnkToken,
            Now = DateTimeOffset.UnixEpoch,
        },
        TestContext.Current.CancellationToken);

    /// <summary>As llama.cpp's script writes it: tokens by id with their types, merges of byte-level models, scores of the
    /// others.</summary>
    static GgufVocabulary Vocabulary(string folder, string? pre)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "tokenizer.json")));
        using var config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "tokenizer_config.json")));
        var (model, bytes) = (json.RootElement.GetProperty("model"), pre is not null);
        var added = json.RootElement.GetProperty("added_tokens").EnumerateArray().ToList();
        var size = model.GetProperty("vocab").EnumerateObject().Select(t => t.Value.GetInt32())
            .Concat(added.Select(t => t.GetProperty("id").GetInt32())).Max() + 1;
        var tokens = Enumerable.Range(0, size).Select(id => $"[PAD{id}]").ToArray();
        var types = Enumerable.Repeat(5.0, size).ToArray();
        foreach (var token in model.GetProperty("vocab").EnumerateObject())
        {
            tokens[token.Value.GetInt32()] = token.Name;
            types[token.Value.GetInt32()] = !bytes && token.Name is ['<', '0', 'x', _, _, '>'] ? 6 : 1;
        }
        var merges = model.GetProperty("merges").EnumerateArray().Select(m => m.ValueKind == JsonValueKind.String
            ? m.GetString()! : $"{m[0].GetString()} {m[1].GetString()}").ToArray();
        foreach (var token in added)
        {
            var id = token.GetProperty("id").GetInt32();
            tokens[id] = token.GetProperty("content").GetString()!;
            types[id] = tokens[id] == "<unk>" ? 2 : token.GetProperty("special").GetBoolean() ? 3 : 4;
        }
        int? Named(string name) => config.RootElement.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? Array.IndexOf(tokens, (value.ValueKind == JsonValueKind.String ? value : value.GetProperty("content")).GetString())
            : null;
        return new GgufVocabulary
        {
            File = Path.Combine(folder, "model.gguf"),
            Model = bytes ? "gpt2" : "llama",
            Pre = pre,
            Tokens = tokens,
            Types = types,
            Merges = bytes ? merges : null,
            Scores = bytes ? null : Scores(tokens, merges),
            Bos = Named("bos_token") ?? (added.Exists(t => t.GetProperty("content").GetString() == "<s>") ? 1 : null),
            Eos = Named("eos_token"),
            Unknown = bytes ? null : Array.IndexOf(tokens, "<unk>"),
            Padding = Named("pad_token"),
            AddBos = json.RootElement.GetProperty("post_processor").ToString().Contains("SpecialToken", StringComparison.Ordinal),
            AddSpacePrefix = json.RootElement.GetProperty("normalizer").ToString().Contains("Prepend", StringComparison.Ordinal),
            ChatTemplate = config.RootElement.TryGetProperty("chat_template", out var template) ? template.GetString() : null,
        };
    }

    /// <summary>A token's score falls with the rank of the first merge that makes it.</summary>
    static double[] Scores(string[] tokens, string[] merges)
    {
        var ranks = new Dictionary<string, int>();
        for (var rank = 0; rank < merges.Length; rank++)
            ranks.TryAdd(merges[rank].Replace(" ", "", StringComparison.Ordinal), rank);
        return [.. tokens.Select(token => ranks.TryGetValue(token, out var rank) ? -(double)rank : -1e6)];
    }
}
