using System.Buffers;
using System.Text;

namespace Hearth.Text.Tokenizers;

/// <summary>The ids that a piece consists of before any merge: one for each byte or each character.</summary>
sealed class BpeSymbols
{
    const int None = Vocabulary.None;
    readonly Vocabulary _vocabulary;
    readonly IReadOnlySet<int> _isControl;
    readonly string _prefix;
    readonly string _suffix;
    readonly bool _bytesOfText;
    readonly bool _fusesUnknown;
    readonly int _unknown = None;

    /// <summary>Ids of bytes by [first | last &lt;&lt; 1][byte], when the model merges bytes.</summary>
    readonly int[][] _idOfByte = [];

    /// <summary>Ids of '&lt;0x00&gt;' to '&lt;0xFF&gt;', when characters that are no token fall back to them.</summary>
    readonly int[]? _fallback;

    readonly Dictionary<int, int> _idOfRune = [];

    internal BpeSymbols(JsonField field, Vocabulary vocabulary, bool bytesOfText, IReadOnlySet<int> isControl)
    {
        _vocabulary = vocabulary;
        _isControl = isControl;
        _bytesOfText = bytesOfText;
        _prefix = field["continuing_subword_prefix"].TextOr("");
        _suffix = field["end_of_word_suffix"].TextOr("");
        _fusesUnknown = field["fuse_unk"].Flag();
        if (field["unk_token"] is { IsNull: false } unknown)
        {
            _unknown = vocabulary.RequiredIdOf(unknown);
        }

        _fallback = field["byte_fallback"].Flag() ? vocabulary.IdsOfByteTokens(isControl) : null;
        if (bytesOfText)
        {
            _idOfByte = [.. Enumerable.Range(0, 4).Select(place => Enumerable.Range(0, 256)
                .Select(b => Id(ByteAlphabet.CharacterOf((byte)b).ToString(), (place & 1) != 0, (place & 2) != 0)).ToArray())];
        }

        foreach (var (token, id) in vocabulary.Tokens)
        {
            if (Rune.DecodeFromUtf16(token, out var rune, out var length) == OperationStatus.Done && length == token.Length)
            {
                _idOfRune[rune.Value] = isControl.Contains(id) ? None : id;
            }
        }
    }

    internal void Append(ReadOnlySpan<char> piece, BpeMerger output)
    {
        var unknowns = new Unknowns(_unknown, _fusesUnknown, output);
        if (_bytesOfText)
        {
            AppendBytes(piece, ref unknowns, output);
        }
        else
        {
            AppendRunes(piece, ref unknowns, output);
        }

        unknowns.Flush();
    }

    void AppendBytes(ReadOnlySpan<char> piece, ref Unknowns unknowns, BpeMerger output)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(piece.Length));
        var count = Encoding.UTF8.GetBytes(piece, bytes);
        for (var i = 0; i < count; i++)
        {
            var place = (i == 0 ? 1 : 0) | (i == count - 1 ? 2 : 0);
            Append(_idOfByte[place][bytes[i]], ref unknowns, output);
        }

        ArrayPool<byte>.Shared.Return(bytes);
    }

    void AppendRunes(ReadOnlySpan<char> piece, ref Unknowns unknowns, BpeMerger output)
    {
        for (var i = 0; i < piece.Length;)
        {
            Rune.DecodeFromUtf16(piece[i..], out var rune, out var length);
            var id = IdOf(rune, isFirst: i == 0, isLast: i + length == piece.Length);
            if (id != None || _fallback is null || !TryAppendFallback(rune, output))
            {
                Append(id, ref unknowns, output);
            }

            i += length;
        }
    }

    static void Append(int id, ref Unknowns unknowns, BpeMerger output)
    {
        if (id == None)
        {
            unknowns.Add();
        }
        else
        {
            unknowns.Flush();
            output.Add(id);
        }
    }

    bool TryAppendFallback(Rune rune, BpeMerger output)
    {
        Span<byte> bytes = stackalloc byte[4];
        bytes = bytes[..rune.EncodeToUtf8(bytes)];
        foreach (var b in bytes)
        {
            if (_fallback![b] == None)
            {
                return false;
            }
        }

        foreach (var b in bytes)
        {
            output.Add(_fallback![b]);
        }

        return true;
    }

    int IdOf(Rune rune, bool isFirst, bool isLast)
    {
        if ((_prefix.Length > 0 && !isFirst) || (_suffix.Length > 0 && isLast))
        {
            return Id(rune.ToString(), isFirst, isLast);
        }

        return _idOfRune.TryGetValue(rune.Value, out var id) ? id : None;
    }

    int Id(string symbol, bool isFirst = true, bool isLast = false)
    {
        var token = (isFirst ? "" : _prefix) + symbol + (isLast ? _suffix : "");
        return _vocabulary.TryGetId(token, out var id) && !_isControl.Contains(id) ? id : None;
    }

    /// <summary>Symbols outside the vocabulary: a run of them is one unknown token when the file says that they fuse.</summary>
    ref struct Unknowns(int id, bool fuses, BpeMerger output)
    {
        bool _pending;

        internal void Add()
        {
            if (_pending && !fuses)
            {
                Flush();
            }

            _pending = id != None;
        }

        internal void Flush()
        {
            if (_pending)
            {
                output.Add(id);
                _pending = false;
            }
        }
    }
}
