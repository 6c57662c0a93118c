using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hearth.Text.Tokenizers;

/// <summary>Which of transformers' converters a SentencePiece model is read by.</summary>
enum SentencePieceFamily
{
    /// <summary>What the model itself says.</summary>
    Plain,
    Llama,
    Gemma,
    T5,
    XlmRoberta,
}

/// <summary>Steps around a SentencePiece model that its file does not name; tokenizer_config.json and the family do.</summary>
sealed class SentencePieceSteps
{
    const string Space = "▁";
    readonly SentencePieceModel _model;
    readonly List<ScoredPiece> _pieces;
    readonly JsonField? _config;
    readonly bool _addsPrefix;
    readonly bool _isLegacy;

    /// <param name="pieces">The pieces as they will be, which the caller may still be changing.</param>
    internal SentencePieceSteps(SentencePieceModel model, JsonField? config, List<ScoredPiece> pieces)
    {
        _model = model;
        _config = config;
        _pieces = pieces;
        _addsPrefix = config?["add_prefix_space"].Flag(whenAbsent: true) ?? true;
        _isLegacy = config?["legacy"].Flag(whenAbsent: true) ?? true;
        Family = config?["tokenizer_class"].TextOr("").Replace("Fast", "", StringComparison.Ordinal) switch
        {
            "LlamaTokenizer" or "CodeLlamaTokenizer" => SentencePieceFamily.Llama,
            "GemmaTokenizer" => SentencePieceFamily.Gemma,
            "T5Tokenizer" => SentencePieceFamily.T5,
            "XLMRobertaTokenizer" => SentencePieceFamily.XlmRoberta,
            _ => model.IsUnigram ? SentencePieceFamily.Plain : SentencePieceFamily.Llama,
        };
    }

    internal SentencePieceFamily Family { get; }

    /// <summary>transformers' converters of T5 and XLM-RoBERTa leave the fallback out even where the model has it.</summary>
    internal bool FallsBackToBytes => Family switch
    {
        SentencePieceFamily.Llama or SentencePieceFamily.Gemma => true,
        SentencePieceFamily.Plain => _model.FallsBackToBytes,
        _ => false,
    };

    internal JsonNode? Normalizer()
    {
        var spaces = Replace("String", " ", Space);
        switch (Family)
        {
            case SentencePieceFamily.Gemma:
                return spaces;
            case SentencePieceFamily.Llama when !_isLegacy:
                return null;
            case SentencePieceFamily.Llama:
                return _addsPrefix ? Sequence("normalizers", [Step("Prepend", ("prepend", Space)), spaces]) : spaces;
        }

        var steps = new List<JsonNode>();
        if (_model.Charsmap.Length > 0)
        {
            steps.Add(Step("Precompiled", ("precompiled_charsmap", Convert.ToBase64String(_model.Charsmap))));
        }

        if (Family != SentencePieceFamily.T5)
        {
            steps.Add(Step("Strip", ("strip_left", false), ("strip_right", true)));
            steps.Add(Replace("Regex", " {2,}", Space));
        }

        return Sequence("normalizers", steps);
    }

    internal JsonNode? PreTokenizer() => Family switch
    {
        SentencePieceFamily.Gemma
            => Step("Split", ("pattern", Pattern("String", " ")), ("behavior", "MergedWithPrevious")),
        SentencePieceFamily.Llama => _isLegacy ? null : Metaspace(splits: false),
        // As the published T5 files have it; the converter of today tells white space that the table leaves from a space.
        SentencePieceFamily.T5 => Sequence("pretokenizers", [Step("WhitespaceSplit"), Metaspace(splits: true)]),
        _ => Metaspace(splits: true),
    };

    internal JsonNode Decoder()
    {
        if (!FallsBackToBytes)
        {
            return Metaspace(splits: true);
        }

        var steps = new List<JsonNode> { Replace("String", Space, " "), Step("ByteFallback"), Step("Fuse") };
        if (_addsPrefix && Family != SentencePieceFamily.Gemma)
        {
            steps.Add(Step("Strip", ("content", " "), ("start", 1), ("stop", 0)));
        }

        return Sequence("decoders", steps);
    }

    internal JsonNode? PostProcessor()
    {
        const string End = "</s>";
        JsonNode?[] first = [Text("A", 0)];
        JsonNode?[] second = [Text("B", 0)];
        switch (Family)
        {
            case SentencePieceFamily.Plain:
                return null;
            case SentencePieceFamily.T5:
                return Template([.. first, Special(End, 0)], [.. first, Special(End, 0), .. second, Special(End, 0)]);
            case SentencePieceFamily.XlmRoberta:
                JsonNode?[] framed = [Special("<s>", 0), .. first, Special(End, 0)];
                return Template(framed, [.. framed, Special(End, 0), .. second, Special(End, 0)]);
            default:
                return Template([.. Framed("A", 0)], [.. Framed("A", 0), .. Framed("B", 1)]);
        }
    }

    /// <summary>A text between the beginning and end tokens that the configuration asks for.</summary>
    IEnumerable<JsonNode?> Framed(string text, int type)
    {
        var (begin, end) = Family == SentencePieceFamily.Gemma ? (2, 1) : (1, 2);
        if (_config?["add_bos_token"].Flag(whenAbsent: true) ?? true)
        {
            yield return Special(Named("bos_token", begin), type);
        }

        yield return Text(text, type);
        if (_config?["add_eos_token"].Flag() ?? false)
        {
            yield return Special(Named("eos_token", end), type);
        }
    }

    /// <summary>The token that the configuration names, else the piece usual for it.</summary>
    string Named(string name, int usualId) => (_config?[name] ?? default) switch
    {
        { Kind: JsonValueKind.String } value => value.Text(),
        { Kind: JsonValueKind.Object } value => value["content"].Text(),
        _ => usualId < _pieces.Count ? _pieces[usualId].Text : "",
    };

    JsonObject Template(JsonNode?[] single, JsonNode?[] pair)
    {
        var tokens = single.Concat(pair).Select(part => part!["SpecialToken"]?["id"]?.GetValue<string>()).OfType<string>();
        var ids = tokens.Distinct().Select(token => KeyValuePair.Create(token,
            (JsonNode?)new JsonObject { ["ids"] = new JsonArray(IdOf(token)) }));
        return Step("TemplateProcessing", ("single", new JsonArray([.. single.Select(part => part!.DeepClone())])),
            ("pair", new JsonArray([.. pair.Select(part => part!.DeepClone())])), ("special_tokens", new JsonObject(ids)));
    }

    int IdOf(string token) => _pieces.FindIndex(piece => piece.Text == token) is >= 0 and var id ? id
        : throw new TokenizerException(_model.File, "pieces", $"lack '{token}', which is to stand around a text");

    JsonObject Metaspace(bool splits) => Step("Metaspace", ("replacement", Space),
        ("prepend_scheme", !_addsPrefix ? "never" : _isLegacy ? "always" : "first"), ("split", splits));

    static JsonObject Special(string token, int type)
        => new() { ["SpecialToken"] = new JsonObject { ["id"] = token, ["type_id"] = type } };

    static JsonObject Text(string name, int type)
        => new() { ["Sequence"] = new JsonObject { ["id"] = name, ["type_id"] = type } };

    static JsonObject Replace(string kind, string pattern, string content)
        => Step("Replace", ("pattern", Pattern(kind, pattern)), ("content", content));

    static JsonObject Pattern(string kind, string pattern) => new() { [kind] = pattern };

    static JsonObject Sequence(string member, List<JsonNode> steps) => Step("Sequence", (member, new JsonArray([.. steps])));

    static JsonObject Step(string type, params (string Name, JsonNode Value)[] members)
    {
        var step = new JsonObject { ["type"] = type };
        foreach (var (name, value) in members)
        {
            step.Add(name, value);
        }

        return step;
    }
}
