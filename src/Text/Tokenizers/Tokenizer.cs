using System.Text;
using Hearth.Text.Tokenizers;

namespace Hearth.Text;

/// <summary>
/// A model's tokenizer, read from a Hugging Face <c>tokenizer.json</c> or a SentencePiece <c>tokenizer.model</c>. Immutable and
/// safe for use by many threads.
/// </summary>
public sealed class Tokenizer
{
    readonly Pipeline _pipeline;
    readonly string?[] _tokenOf;

    /// <summary>What the decoder is given for an id: added tokens that are matched normalized come out normalized.</summary>
    readonly string?[] _decodedFormOf;
    readonly byte[]?[] _bytesOf;
    readonly bool[] _isSpecial;
    readonly bool[] _isControl;
    readonly Dictionary<string, int> _addedIdOf;

    Tokenizer(Pipeline pipeline)
    {
        _pipeline = pipeline;
        var vocabulary = pipeline.Model.Vocabulary;
        var size = pipeline.AddedTokens.Select(token => token.Id + 1).Append(vocabulary.Size).Max();
        _tokenOf = new string?[size];
        _bytesOf = new byte[size][];
        _isSpecial = new bool[size];
        _isControl = new bool[size];
        _addedIdOf = [];
        for (var id = 0; id < vocabulary.Size; id++)
        {
            _tokenOf[id] = vocabulary.TokenOf(id);
        }

        _decodedFormOf = [.. _tokenOf];
        foreach (var token in pipeline.AddedTokens)
        {
            _tokenOf[token.Id] = token.Content;
            _decodedFormOf[token.Id] = token.Normalized ? pipeline.Normalize(token.Content) : token.Content;
            _isSpecial[token.Id] = token.Special;
            _isControl[token.Id] = token.IsControl;
            _addedIdOf[token.Content] = token.Id;
        }
    }

    /// <summary>Reads the tokenizer of a checkpoint.</summary>
    /// <param name="directory">
    /// The checkpoint's folder: it holds tokenizer.json or tokenizer.model (SentencePiece), and perhaps tokenizer_config.json.
    /// </param>
    /// <exception cref="TokenizerException">A file is missing, broken, too large or uses what is not supported.</exception>
    public static Tokenizer Load(string directory)
    {
        using var config = JsonFile.Read(Path.Combine(directory, "tokenizer_config.json"));
        using var file = JsonFile.Read(Path.Combine(directory, "tokenizer.json"))
            ?? SentencePieceConverter.Read(Path.Combine(directory, "tokenizer.model"), config?.Root)
            ?? throw new TokenizerException(Path.Combine(directory, "tokenizer.json"), "",
                "does not exist, and neither does tokenizer.model; the model's folder must hold its tokenizer");
        return new(new Pipeline(file.Root, config?.Root));
    }

    /// <summary>Makes the tokenizer that a GGUF file describes.</summary>
    /// <exception cref="TokenizerException">The vocabulary is not sound, or of a kind that is not supported.</exception>
    public static Tokenizer Load(GgufVocabulary vocabulary)
    {
        using var file = GgufConverter.Write(vocabulary);
        return new(new Pipeline(file.Root, null));
    }

    /// <summary>The highest id plus one; a model's output may be wider.</summary>
    public int VocabularySize => _tokenOf.Length;

    /// <summary>Encodes trusted text: control tokens in it are recognised.</summary>
    /// <param name="addSpecialTokens">Whether to add what the file puts around a text, such as a beginning-of-text token.</param>
    public int[] Encode(string text, bool addSpecialTokens) => Encode(text, Trust.Everywhere, addSpecialTokens);

    /// <summary>Encodes somebody's text: no control token is recognised in it.</summary>
    /// <param name="addSpecialTokens">Whether to add what the file puts around a text, such as a beginning-of-text token.</param>
    public int[] EncodePlain(string text, bool addSpecialTokens) => Encode(text, Trust.Nowhere, addSpecialTokens);

    /// <summary>
    /// Encodes a rendered chat template as one text; control tokens are recognised only where they lie wholly in template
    /// text. Adds no special tokens, for a template writes its own.
    /// </summary>
    public int[] Encode(IReadOnlyList<TextSegment> segments)
        => Encode(string.Concat(segments.Select(segment => segment.Text)), Trust.Of(segments), addSpecialTokens: false);

    /// <summary>
    /// Encodes texts, or pairs of texts, as the file's own settings say: with special tokens around them, cut to its greatest
    /// length, and padded to the longest of them. (transformers overrules the last two unless it is asked for them.)
    /// </summary>
    /// <param name="trusted">Whether control tokens in the texts are recognised.</param>
    /// <exception cref="TokenizerException">The file wants one of a pair cut that is too short for it.</exception>
    public IReadOnlyList<ModelInput> EncodeInputs(IReadOnlyList<(string Text, string? Second)> texts, bool trusted)
    {
        var trust = trusted ? Trust.Everywhere : Trust.Nowhere;
        return _pipeline.Shape.Pad([.. texts.Select(item => Assemble(item.Text, item.Second, trust))]);
    }

    /// <summary>The text of the ids. Ids outside the vocabulary are left out; bytes that are not UTF-8 become U+FFFD.</summary>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        var decoder = new IncrementalDecoder(this, skipSpecialTokens);
        var text = new StringBuilder();
        foreach (var id in ids)
        {
            text.Append(decoder.Push(id));
        }

        return text.Append(decoder.Flush()).ToString();
    }

    public int? IdOf(string token) => _addedIdOf.TryGetValue(token, out var id) ? id : _pipeline.Model.Vocabulary.IdOf(token);

    /// <summary>The token as the vocabulary writes it, such as 'Ġthe' or '▁the'; null for an id outside the vocabulary.</summary>
    public string? TokenOf(int id) => (uint)id < (uint)_tokenOf.Length ? _tokenOf[id] : null;

    /// <summary>Whether the token is flagged special and so left out of decoded text on request.</summary>
    public bool IsSpecial(int id) => (uint)id < (uint)_isSpecial.Length && _isSpecial[id];

    /// <summary>
    /// Whether the token steers the model and so never comes from user text: the special ones, and others of the form
    /// <c>&lt;|..|&gt;</c>.
    /// </summary>
    public bool IsControl(int id) => (uint)id < (uint)_isControl.Length && _isControl[id];

    /// <summary>The bytes of text that the token stands for, perhaps part of a code point; none outside the vocabulary.</summary>
    public ReadOnlySpan<byte> BytesOf(int id)
    {
        if (DecodedFormOf(id) is not { } token)
        {
            return [];
        }

        return _bytesOf[id] ??= _pipeline.Decoder.BytesOf(token);
    }

    internal string? DecodedFormOf(int id) => (uint)id < (uint)_decodedFormOf.Length ? _decodedFormOf[id] : null;

    internal TokenSink OpenDecoder(TokenSink output) => _pipeline.Decoder.Open(output);

    int[] Encode(string text, Trust trust, bool addSpecialTokens)
    {
        var ids = new List<int>(text.Length / 3 + 8);
        if (!addSpecialTokens)
        {
            _pipeline.Encode(WellFormed(text), trust, ids);
            return [.. ids];
        }

        foreach (var part in _pipeline.PostProcessor.Single)
        {
            if (part.Text is null)
            {
                ids.Add(part.Id);
            }
            else
            {
                _pipeline.Encode(WellFormed(text), trust, ids);
            }
        }

        return [.. ids];
    }

    ModelInput Assemble(string text, string? second, Trust trust)
    {
        var template = second is null ? _pipeline.PostProcessor.Single : _pipeline.PostProcessor.Pair;
        var ids = new List<int>();
        _pipeline.Encode(WellFormed(text), trust, ids);
        var secondIds = second is null ? null : new List<int>();
        if (second is not null)
        {
            _pipeline.Encode(WellFormed(second), trust, secondIds!);
        }

        _pipeline.Shape.Truncate(ids, secondIds, template.Count(part => part.Text is null));
        var all = new List<int>();
        var types = new List<int>();
        var special = new List<bool>();
        foreach (var part in template)
        {
            var more = part.Text switch { null => [part.Id], 0 => ids, _ => secondIds! };
            all.AddRange(more);
            types.AddRange(Enumerable.Repeat(part.TypeId, more.Count));
            special.AddRange(Enumerable.Repeat(part.Text is null, more.Count));
        }

        return new(all, types, special, [.. Enumerable.Repeat(true, all.Count)]);
    }

    /// <summary>The text with a U+FFFD for every lone surrogate, which no UTF-8 can hold.</summary>
    static string WellFormed(string text)
    {
        if (text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
        {
            return text;
        }

        var output = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            output.Append(rune);
        }

        return output.ToString();
    }
}
