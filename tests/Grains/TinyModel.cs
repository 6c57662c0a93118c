using System.Text.Json.Nodes;
using Hearth.Contracts;

namespace Hearth.Grains.Tests;

/// <summary>A checkpoint's text side, small enough to read: byte-level BPE with a few merges, and a ChatML template.</summary>
static class TinyModel
{
    public const string Name = "tiny";
    public const string End = "<|im_end|>";

    const string Template = """
        {%- for message in messages %}
        {%- if message['role'] == 'tool' %}{{ raise_exception('no tools here') }}{% endif %}
        {{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{% endif %}
        """;

    static readonly string[] Merges =
    [
        "h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or", "l d", "Ġwor ld", "Ġ t", "Ġt he", "i n", "in g", "e r",
        "a n", "u s", "us er",
    ];

    public static ModelCard Write(string directory)
    {
        var vocabulary = new JsonObject();
        foreach (var c in Alphabet())
            vocabulary[c.ToString()] = vocabulary.Count;
        foreach (var merge in Merges)
            vocabulary[merge.Replace(" ", "", StringComparison.Ordinal)] = vocabulary.Count;
        var added = new JsonArray();
        foreach (var special in new[] { "<|endoftext|>", "<|im_start|>", End })
        {
            added.Add(new JsonObject
            {
                ["id"] = vocabulary.Count + added.Count,
                ["content"] = special,
                ["single_word"] = false,
                ["lstrip"] = false,
                ["rstrip"] = false,
                ["normalized"] = false,
                ["special"] = true,
            });
        }
        var byteLevel = new JsonObject
        {
            ["type"] = "ByteLevel",
            ["add_prefix_space"] = false,
            ["trim_offsets"] = true,
            ["use_regex"] = true,
        };
        var tokenizer = new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = added,
            ["normalizer"] = null,
            ["pre_tokenizer"] = byteLevel,
            ["post_processor"] = null,
            ["decoder"] = byteLevel.DeepClone(),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["vocab"] = vocabulary,
                ["merges"] = new JsonArray([.. Merges.Select(m => JsonValue.Create(m))]),
            },
        };
        File.WriteAllText(Path.Combine(directory, "tokenizer.json"), tokenizer.ToJsonString());
        File.WriteAllText(Path.Combine(directory, "tokenizer_config.json"),
            new JsonObject { ["chat_template"] = Template, ["eos_token"] = End }.ToJsonString());
        return new ModelCard
        {
            Name = Name,
            Directory = directory,
            Family = "llama",
            VocabularySize = vocabulary.Count + 3,
            ContextLength = 2000,
            Parameters = 1,
            EosTokens = [vocabulary.Count + 2],
            Fingerprint = "f1",
            Created = default,
        };
    }

    /// <summary>The characters by which GPT-2's byte-level BPE writes the 256 bytes.</summary>
    static IEnumerable<char> Alphabet()
    {
        var next = 256;
        for (var b = 0; b < 256; b++)
            yield return b is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE ? (char)b : (char)next++;
    }
}
