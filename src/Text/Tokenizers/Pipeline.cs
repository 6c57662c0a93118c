using System.Text.Json;

namespace Hearth.Text.Tokenizers;

/// <summary>
/// From text to ids: added tokens are cut out, the rest is normalized, cut into pieces and given to the model.
/// Follows the order of Hugging Face's tokenizers library, so that ids are the same.
/// </summary>
sealed class Pipeline
{
    readonly List<Normalizer> _normalizers;
    readonly List<PreTokenizer> _preTokenizers;
    readonly AddedTokenFinder _rawFinder;
    readonly AddedTokenFinder _rawFinderOfSegments;
    readonly AddedTokenFinder _normalizedFinder;

    /// <param name="root">tokenizer.json.</param>
    /// <param name="config">tokenizer_config.json, if there is one.</param>
    internal Pipeline(JsonField root, JsonField? config)
    {
        root.Expect(JsonValueKind.Object);
        var vocabulary = TokenModel.ReadVocabulary(root["model"]);
        AddedTokens = AddedToken.ReadAll(root["added_tokens"]);
        if (config is { } complement)
        {
            TokenizerConfig.Complete(AddedTokens, complement, vocabulary);
        }

        _normalizers = Normalizer.ReadAll(root["normalizer"]);
        _preTokenizers = PreTokenizer.ReadAll(root["pre_tokenizer"]);
        PostProcessor = new(root["post_processor"]);
        Shape = new(root["truncation"], root["padding"]);
        Decoder = new(root["decoder"]);

        var mapsBytesLast = TokenModel.MergesBytes(root["model"]) && _preTokenizers is [.., ByteLevelPreTokenizer];
        if (mapsBytesLast)
        {
            ((ByteLevelPreTokenizer)_preTokenizers[^1]).MapsBytes = false;
        }

        var controls = AddedTokens.Where(token => token.IsControl).Select(token => token.Id).ToHashSet();
        Model = TokenModel.Read(root["model"], vocabulary, mapsBytesLast, controls);

        var normalized = AddedTokens.ToLookup(token => token.Normalized);
        _rawFinder = new(normalized[false], content => content);
        _normalizedFinder = new(normalized[true], Normalize);
        _rawFinderOfSegments = _normalizers.Count == 0 ? _rawFinder
            : new(AddedTokens.Where(token => !token.Normalized || token.IsControl), content => content);
    }

    internal List<AddedToken> AddedTokens { get; }
    internal PostProcessor PostProcessor { get; }
    internal InputShape Shape { get; }
    internal TokenDecoder Decoder { get; }
    internal TokenModel Model { get; }

    internal void Encode(string text, Trust trust, List<int> ids)
    {
        var encoder = Model.Open();
        // Where text is changed before the second search, places in it are no longer places in the segments: control tokens
        // are then found in the text as it came.
        var sameText = _normalizers.Count == 0;
        var rawFinder = trust == Trust.Everywhere ? _rawFinder : _rawFinderOfSegments;
        var trustLater = sameText || trust == Trust.Everywhere ? trust : Trust.Nowhere;
        foreach (var part in rawFinder.Split(text, trust))
        {
            if (part.Token is { } token)
            {
                ids.Add(token.Id);
                continue;
            }

            var normalized = Normalize(text[part.Start..part.End]);
            foreach (var inner in _normalizedFinder.Split(normalized, trustLater, sameText ? part.Start : 0))
            {
                if (inner.Token is { } innerToken)
                {
                    ids.Add(innerToken.Id);
                }
                else
                {
                    EncodeStretch(new(normalized[inner.Start..inner.End], part.Start + inner.Start == 0), encoder, ids);
                }
            }
        }
    }

    void EncodeStretch(Stretch stretch, PieceEncoder encoder, List<int> ids)
    {
        foreach (var step in _preTokenizers)
        {
            step.Apply(stretch);
        }

        foreach (var cut in stretch.Cuts)
        {
            encoder.Encode(stretch[cut], ids);
        }
    }

    internal string Normalize(string text)
    {
        foreach (var step in _normalizers)
        {
            text = step.Apply(text);
        }

        return text;
    }
}
