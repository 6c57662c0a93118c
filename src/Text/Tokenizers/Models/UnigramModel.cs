using System.Text;
using System.Text.Json;

namespace Hearth.Text.Tokenizers;

/// <summary>
/// SentencePiece's unigram model: of all ways to cut a piece into tokens the one with the highest sum of scores (Viterbi; Kudo
/// 2018). Of equal sums the one wins whose last token is found first, which is the longer one.
/// </summary>
sealed class UnigramModel : TokenModel
{
    /// <summary>What an unknown character costs beyond the worst token (kUnkPenalty of SentencePiece).</summary>
    const double UnknownPenalty = 10;
    readonly Trie _tokens;
    readonly double[] _scores;
    readonly double _unknownScore;
    readonly int _unknown;

    /// <summary>Ids of '&lt;0x00&gt;' to '&lt;0xFF&gt;', when unknown characters fall back to them.</summary>
    readonly int[]? _fallback;

    internal UnigramModel(JsonField field, Vocabulary vocabulary, IReadOnlySet<int> isControl)
    {
        Vocabulary = vocabulary;
        _scores = [.. field["vocab"].Items(Limits.Tokenizer.TokensMax).Select(Score)];
        if (_scores.Length == 0)
        {
            throw field["vocab"].Error("is empty");
        }

        _unknown = field["unk_id"].Number(_scores.Length - 1);
        _unknownScore = _scores.Min() - UnknownPenalty;
        _tokens = new(vocabulary.Tokens.Where(entry => entry.Value == _unknown || !isControl.Contains(entry.Value)));
        _fallback = field["byte_fallback"].Flag() ? vocabulary.IdsOfByteTokens(isControl) : null;
    }

    internal override Vocabulary Vocabulary { get; }

    internal override PieceEncoder Open() => new Encoder(this);

    static double Score(JsonField entry)
    {
        var score = entry[1];
        score.Expect(JsonValueKind.Number);
        return score.Value.TryGetDouble(out var value) && double.IsFinite(value) ? value
            : throw score.Error("must be a finite number");
    }

    sealed class Encoder(UnigramModel model) : PieceEncoder(model.Cache)
    {
        /// <summary>The best way to a place: where its last token starts and its sum of scores.</summary>
        struct Place
        {
            internal double Score;
            internal int Start;
            internal int Id;
        }

        const int Unreached = -1;
        Place[] _places = new Place[64];

        protected override void EncodeAnew(ReadOnlySpan<char> piece, List<int> ids)
        {
            FindBest(piece);
            Collect(piece, ids);
        }

        void FindBest(ReadOnlySpan<char> piece)
        {
            if (_places.Length <= piece.Length)
            {
                _places = new Place[Math.Max(piece.Length + 1, _places.Length * 2)];
            }

            _places.AsSpan(0, piece.Length + 1).Fill(new() { Start = Unreached });
            for (var start = 0; start < piece.Length;)
            {
                var width = WidthAt(piece, start);
                var score = _places[start].Score;
                var hasSingle = false;
                var node = Trie.Root;
                for (var end = start; end < piece.Length && (node = model._tokens.Child(node, piece[end])) != Trie.None;)
                {
                    end++;
                    if (model._tokens.ValueOf(node) is var id and not Trie.None)
                    {
                        Offer(start, end, score + model._scores[id], id);
                        hasSingle |= end - start == width;
                    }
                }

                if (!hasSingle)
                {
                    Offer(start, start + width, score + model._unknownScore, model._unknown);
                }

                start += width;
            }
        }

        void Offer(int start, int end, double score, int id)
        {
            ref var place = ref _places[end];
            if (place.Start == Unreached || score > place.Score)
            {
                place = new() { Score = score, Start = start, Id = id };
            }
        }

        /// <summary>Walks the best way backwards; unknown characters side by side are one unknown token.</summary>
        void Collect(ReadOnlySpan<char> piece, List<int> ids)
        {
            var first = ids.Count;
            for (var end = piece.Length; end > 0;)
            {
                var start = _places[end].Start;
                if (_places[end].Id != model._unknown)
                {
                    ids.Add(_places[end].Id);
                    end = start;
                    continue;
                }

                while (start > 0 && _places[start].Id == model._unknown)
                {
                    start = _places[start].Start;
                }

                AddUnknownReversed(piece[start..end], ids);
                end = start;
            }

            ids.Reverse(first, ids.Count - first);
        }

        void AddUnknownReversed(ReadOnlySpan<char> text, List<int> ids)
        {
            var count = ids.Count;
            var isToken = model.Vocabulary.TryGetId(text, out var id) && id == model._unknown;
            if (!isToken && model._fallback is { } fallback)
            {
                var bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
                for (var i = Encoding.UTF8.GetBytes(text, bytes) - 1; i >= 0 && fallback[bytes[i]] != Vocabulary.None; i--)
                {
                    ids.Add(fallback[bytes[i]]);
                }

                if (ids.Count - count == Encoding.UTF8.GetByteCount(text))
                {
                    return;
                }

                ids.RemoveRange(count, ids.Count - count);
            }

            ids.Add(model._unknown);
        }

        static int WidthAt(ReadOnlySpan<char> text, int index)
            => char.IsHighSurrogate(text[index]) && index + 1 < text.Length ? 2 : 1;
    }
}
