using System.Text;
using System.Text.Json;

namespace Hearth.Text.Tokenizers;

/// <summary>Byte-pair encoding, over the bytes of the text (GPT-2) or over its characters (SentencePiece).</summary>
sealed class BpeModel : TokenModel
{
    readonly BpeSymbols _symbols;
    readonly MergeTable _merges;
    readonly bool _ignoresMerges;
    readonly bool _bytesOfText;
    readonly bool _cutsAtMetaspace;
    readonly IReadOnlySet<int> _isControl;

    internal BpeModel(JsonField field, Vocabulary vocabulary, bool bytesOfText, IReadOnlySet<int> isControl)
    {
        if (field["dropout"] is { IsNull: false } dropout && dropout.Value.GetRawText() is not ("0" or "0.0"))
        {
            throw dropout.Error("is for training only; remove it");
        }

        _bytesOfText = bytesOfText;
        _isControl = isControl;
        _ignoresMerges = field["ignore_merges"].Flag();
        Vocabulary = vocabulary;
        _symbols = new(field, Vocabulary, bytesOfText, isControl);
        _merges = ReadMerges(field, out var crossesMetaspace);
        var hasAffixes = field["continuing_subword_prefix"].TextOr("") + field["end_of_word_suffix"].TextOr("") != "";
        _cutsAtMetaspace = !bytesOfText && !crossesMetaspace && !_ignoresMerges && !hasAffixes && Vocabulary.TryGetId("▁", out _);
    }

    internal override Vocabulary Vocabulary { get; }

    internal override PieceEncoder Open() => new Encoder(this);

    MergeTable ReadMerges(JsonField field, out bool crossesMetaspace)
    {
        var list = field["merges"];
        var prefixLength = field["continuing_subword_prefix"].TextOr("").Length;
        var items = list.Items(Limits.Tokenizer.MergesMax);
        var table = new MergeTable(list.Value.GetArrayLength());
        var rank = 0;
        crossesMetaspace = false;
        foreach (var item in items)
        {
            var (left, right) = Halves(item);
            if (left == "#version:")
            {
                continue;
            }

            var result = left + right[Math.Min(prefixLength, right.Length)..];
            var id = Id(item, result);
            if (!_isControl.Contains(id))
            {
                table.Set(Id(item, left), Id(item, right), rank, id);
            }

            rank++;
            crossesMetaspace |= !left.EndsWith('▁') && right.StartsWith('▁');
        }

        return table;
    }

    int Id(JsonField item, string token)
        => Vocabulary.TryGetId(token, out var id) ? id : throw item.Error($"names '{token}', which is not in the vocabulary");

    static (string Left, string Right) Halves(JsonField item)
    {
        if (item.Kind == JsonValueKind.Array)
        {
            return item.Value.GetArrayLength() == 2
                ? (item.Items(2).First().Text(), item.Items(2).Last().Text())
                : throw item.Error("must have two parts");
        }

        var halves = item.Text(2 * Limits.Tokenizer.TokenCharactersMax + 1).Split(' ');
        return halves is [{ Length: > 0 }, { Length: > 0 }] || halves is ["#version:", _]
            ? (halves[0], halves[1]) : throw item.Error("must be two tokens with one space between them");
    }

    sealed class Encoder(BpeModel model) : PieceEncoder(model.Cache)
    {
        readonly BpeMerger _merger = new(model._merges);

        internal override void Encode(ReadOnlySpan<char> piece, List<int> ids)
        {
            // No token holds a '▁' after another character, so none spans this place, and short pieces are found in the cache.
            while (model._cutsAtMetaspace && WordLength(piece) is var word && word < piece.Length)
            {
                base.Encode(piece[..word], ids);
                piece = piece[word..];
            }

            base.Encode(piece, ids);
        }

        protected override void EncodeAnew(ReadOnlySpan<char> piece, List<int> ids)
        {
            if (!model._ignoresMerges || !TryWholeToken(piece, ids))
            {
                _merger.Clear();
                model._symbols.Append(piece, _merger);
                _merger.Run(ids);
            }
        }

        bool TryWholeToken(ReadOnlySpan<char> piece, List<int> ids)
        {
            var token = piece;
            if (model._bytesOfText)
            {
                var mapped = new StringBuilder();
                ByteAlphabet.AppendMapped(piece, mapped);
                token = mapped.ToString();
            }

            if (!model.Vocabulary.TryGetId(token, out var id) || model._isControl.Contains(id))
            {
                return false;
            }

            ids.Add(id);
            return true;
        }

        static int WordLength(ReadOnlySpan<char> piece)
        {
            var spaces = piece.IndexOfAnyExcept('▁');
            var rest = spaces < 0 ? -1 : piece[spaces..].IndexOf('▁');
            return rest < 0 ? piece.Length : spaces + rest;
        }
    }
}
