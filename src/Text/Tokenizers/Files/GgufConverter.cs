using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hearth.Text.Tokenizers;

/// <summary>Writes a GGUF file's tokenizer as the tokenizer.json that it was converted from, so that one reader serves
/// both.</summary>
static class GgufConverter
{
    const string Gpt2 = """[{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}]""";
    const string Digits =
        """[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}]""";
    const string Falcon = """
        [{"type":"Punctuation","behavior":"Contiguous"},{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},
         {"type":"Digits","individual_digits":false},
         {"type":"Split","pattern":{"Regex":"[0-9][0-9][0-9]"},"behavior":"Isolated","invert":false}]
        """;
    const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    const string Rest = @" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    const string Tekken =
        @"[^\r\n\p{L}\p{N}]?" + Upper + "*" + Lower + @"+|[^\r\n\p{L}\p{N}]?" + Upper + "+" + Lower + @"*|\p{N}|" + Rest;
    const string Suffixes = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
    const string O200k = @"[^\r\n\p{L}\p{N}]?" + Upper + "*" + Lower + "+" + Suffixes
        + @"|[^\r\n\p{L}\p{N}]?" + Upper + "+" + Lower + "*" + Suffixes + @"|\p{N}{1,3}|" + Rest;

    /// <summary>By tokenizer.ggml.pre: the steps that cut, and whether whole tokens beat merges and bos comes first unless the
    /// file says otherwise.</summary>
    static readonly Dictionary<string, (string Steps, bool Llama3, bool Composed)> Pre = new(StringComparer.Ordinal)
    {
        ["gpt-2"] = (Gpt2, false, false),
        ["phi-2"] = (Gpt2, false, false),
        ["olmo"] = (Gpt2, false, false),
        ["llama-bpe"] = (Splits(Llama3Matcher.Pattern), true, false),
        ["llama3"] = (Splits(Llama3Matcher.Pattern), true, false),
        ["llama-v3"] = (Splits(Llama3Matcher.Pattern), true, false),
        ["falcon3"] = (Splits(Llama3Matcher.Pattern), true, false),
        ["pixtral"] = (Splits(Llama3Matcher.Pattern), true, false),
        ["qwen2"] = (Splits(Llama3Matcher.PatternOfQwen2), false, true),
        ["deepseek-r1-qwen"] = (Splits(Llama3Matcher.PatternOfQwen2), false, false),
        ["stablelm2"] = (Splits(Llama3Matcher.PatternOfQwen2), false, false),
        ["starcoder"] = (Digits, false, false),
        ["refact"] = (Digits, false, false),
        ["smollm"] = (Digits, false, false),
        ["command-r"] = (Digits, false, true),
        ["falcon"] = (Falcon, false, false),
        ["gpt-4o"] = (Splits(O200k), false, false),
        ["tekken"] = (Splits(Tekken), true, false),
        ["deepseek-v3"] = (Splits(@"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
            @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|" +
            @"\s*[\r\n]+|\s+(?!\S)|\s+"), false, false),
    };

    /// <exception cref="TokenizerException">The vocabulary is not sound, or of a kind that is not supported.</exception>
    internal static JsonFile Write(GgufVocabulary vocabulary)
    {
        var count = vocabulary.Tokens.Count;
        if (count is 0 or > Limits.Tokenizer.TokensMax)
            throw Bad(vocabulary, "tokens", $"has {count} entries; 1 to {Limits.Tokenizer.TokensMax} are supported");
        if (vocabulary.Types is { } types && types.Count != count)
            throw Bad(vocabulary, "token_type", $"has {types.Count} entries for {count} tokens");
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            switch (vocabulary.Model)
            {
                case "gpt2":
                    WriteByteLevel(writer, vocabulary);
                    break;
                case "llama":
                    WriteSentencePiece(writer, vocabulary);
                    break;
                case var other:
                    throw Bad(vocabulary, "model", $"'{Short(other)}' is not supported; supported are gpt2 and llama");
            }
            WriteAddedTokens(writer, vocabulary);
            writer.WriteEndObject();
        }
        return JsonFile.Parse(vocabulary.File, buffer.WrittenMemory);
    }

    static void WriteByteLevel(Utf8JsonWriter writer, GgufVocabulary vocabulary)
    {
        if (!Pre.TryGetValue(vocabulary.Pre ?? "", out var pre))
        {
            throw Bad(vocabulary, "pre", $"'{Short(vocabulary.Pre ?? "")}' is not supported; supported are " +
                string.Join(", ", Pre.Keys));
        }
        Raw(writer, "normalizer", pre.Composed ? """{"type":"NFC"}""" : "null");
        Raw(writer, "pre_tokenizer", $$"""{"type":"Sequence","pretokenizers":{{pre.Steps}}}""");
        Raw(writer, "decoder", """{"type":"ByteLevel"}""");
        WriteEnds(writer, vocabulary, vocabulary.AddBos ?? pre.Llama3);
        writer.WriteStartObject("model");
        writer.WriteString("type", "BPE");
        writer.WriteBoolean("ignore_merges", pre.Llama3);
        WriteTokens(writer, vocabulary);
        writer.WriteStartArray("merges");
        foreach (var merge in vocabulary.Merges ?? throw Bad(vocabulary, "merges", "is missing"))
            writer.WriteStringValue(merge);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    static void WriteSentencePiece(Utf8JsonWriter writer, GgufVocabulary vocabulary)
    {
        var count = vocabulary.Tokens.Count;
        if (vocabulary.Scores?.Count != count)
            throw Bad(vocabulary, "scores", $"has {vocabulary.Scores?.Count ?? 0} entries for {count} tokens");
        var prefix = vocabulary.AddSpacePrefix ?? true;
        Raw(writer, "normalizer", $$"""
            {"type":"Sequence","normalizers":[{{(prefix ? """{"type":"Prepend","prepend":"▁"},""" : "")}}
            {"type":"Replace","pattern":{"String":" "},"content":"▁"}]}
            """);
        Raw(writer, "pre_tokenizer", "null");
        Raw(writer, "decoder", $$"""
            {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
            {"type":"Fuse"}{{(prefix ? """,{"type":"Strip","content":" ","start":1,"stop":0}""" : "")}}]}
            """);
        WriteEnds(writer, vocabulary, vocabulary.AddBos ?? true);
        writer.WriteStartObject("model");
        writer.WriteString("type", "BPE");
        writer.WriteBoolean("fuse_unk", true);
        writer.WriteBoolean("byte_fallback", Enumerable.Range(0, count).Any(id => TypeOf(vocabulary, id) == PieceType.Byte));
        var unknown = Enumerable.Range(0, count).FirstOrDefault(id => TypeOf(vocabulary, id) == PieceType.Unknown, -1);
        if (vocabulary.TokenOf(vocabulary.Unknown ?? unknown) is { } token)
            writer.WriteString("unk_token", token);
        WriteTokens(writer, vocabulary);
        writer.WriteStartArray("merges");
        // As in transformers, user-defined tokens too come of merges.
        var pieces = vocabulary.Tokens.Select((text, id) =>
            new ScoredPiece(text, (float)vocabulary.Scores[id], TypeOf(vocabulary, id)))
            .Where(piece => piece.Type is PieceType.Normal or PieceType.UserDefined).ToList();
        foreach (var (left, right) in PieceMerges.Of(vocabulary.File, pieces))
        {
            writer.WriteStartArray();
            writer.WriteStringValue(left);
            writer.WriteStringValue(right);
            writer.WriteEndArray();
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    static void WriteTokens(Utf8JsonWriter writer, GgufVocabulary vocabulary)
    {
        writer.WriteStartObject("vocab");
        for (var id = 0; id < vocabulary.Tokens.Count; id++)
            writer.WriteNumber(vocabulary.Tokens[id], id);
        writer.WriteEndObject();
    }

    static void WriteAddedTokens(Utf8JsonWriter writer, GgufVocabulary vocabulary)
    {
        writer.WriteStartArray("added_tokens");
        for (var id = 0; id < vocabulary.Tokens.Count; id++)
        {
            if (TypeOf(vocabulary, id) is var type
                && type is not (PieceType.Unknown or PieceType.Control or PieceType.UserDefined))
            {
                continue;
            }
            writer.WriteStartObject();
            writer.WriteNumber("id", id);
            writer.WriteString("content", vocabulary.Tokens[id]);
            writer.WriteBoolean("special", type != PieceType.UserDefined);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    static void WriteEnds(Utf8JsonWriter writer, GgufVocabulary vocabulary, bool addBos)
    {
        var tokens = new JsonObject();
        JsonArray single = [Text("A")];
        void Add(int at, int? id)
        {
            if (vocabulary.TokenOf(id) is not { } token)
                return;
            single.Insert(at, new JsonObject { ["SpecialToken"] = new JsonObject { ["id"] = token, ["type_id"] = 0 } });
            tokens[token] = new JsonObject
            {
                ["id"] = token,
                ["ids"] = new JsonArray(id!.Value),
                ["tokens"] = new JsonArray(token),
            };
        }
        if (addBos)
            Add(0, vocabulary.Bos);
        if (vocabulary.AddEos == true)
            Add(single.Count, vocabulary.Eos);
        var pair = single.DeepClone().AsArray();
        pair.Add(Text("B"));
        writer.WritePropertyName("post_processor");
        new JsonObject
        {
            ["type"] = "TemplateProcessing",
            ["single"] = single,
            ["pair"] = pair,
            ["special_tokens"] = tokens,
        }.WriteTo(writer);
    }

    static JsonObject Text(string id) => new() { ["Sequence"] = new JsonObject { ["id"] = id, ["type_id"] = 0 } };

    static PieceType TypeOf(GgufVocabulary vocabulary, int id) =>
        vocabulary.Types is { } types ? (PieceType)(int)types[id] : PieceType.Normal;

    static string Splits(params string[] patterns)
    {
        JsonArray steps = [.. patterns.Select(pattern => new JsonObject
        {
            ["type"] = "Split",
            ["pattern"] = new JsonObject { ["Regex"] = pattern },
            ["behavior"] = "Isolated",
            ["invert"] = false,
        })];
        steps.Add(new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["use_regex"] = false });
        return steps.ToJsonString();
    }

    static void Raw(Utf8JsonWriter writer, string name, string json)
    {
        writer.WritePropertyName(name);
        writer.WriteRawValue(json);
    }

    static TokenizerException Bad(GgufVocabulary vocabulary, string field, string problem) =>
        new(vocabulary.File, $"tokenizer.ggml.{field}", problem);

    static string Short(string text) => text.Length <= 64 ? text : text[..64] + "…";
}
