using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Hearth.Text.Tokenizers;

/// <summary>
/// SentencePiece's compiled table of replacements: a double-array trie (Aoe 1989, in the layout of darts-clone) from UTF-8 to
/// places in a list of zero-terminated texts. As in the reference a cluster of less than six bytes is looked up first, then
/// each of its code points, and of several entries that match the shortest counts, for the whole of what was looked up.
/// </summary>
sealed class PrecompiledNormalizer : Normalizer
{
    const int ClusterBytesMax = 5;
    readonly JsonField _field;
    readonly uint[] _units;
    readonly byte[] _texts;

    /// <summary>The replacement of each ASCII character on its own; null where it stays.</summary>
    readonly string?[] _ofAscii = new string?[128];

    internal PrecompiledNormalizer(JsonField field)
    {
        _field = field;
        var map = Decode(field);
        var trieBytes = map.Length < 4 ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(map);
        if (trieBytes % 4 != 0 || trieBytes == 0 || trieBytes > map.Length - 4)
        {
            throw field.Error($"says that its trie has {trieBytes} bytes, in a table of {map.Length} bytes");
        }

        _units = new uint[trieBytes / 4];
        for (var i = 0; i < _units.Length; i++)
        {
            _units[i] = BinaryPrimitives.ReadUInt32LittleEndian(map.AsSpan(4 + i * 4));
        }

        _texts = map[(4 + (int)trieBytes)..];
        var output = new StringBuilder();
        for (var c = '\0'; c < _ofAscii.Length; c++)
        {
            output.Clear();
            _ofAscii[c] = TryReplace([c], output) ? output.ToString() : null;
        }
    }

    internal override string Apply(string text)
    {
        var output = new StringBuilder(text.Length + 16);
        for (var start = 0; start < text.Length;)
        {
            // A cluster of more than one character has one beyond ASCII in second place, or is CR LF.
            if (text[start] < 128 && (start + 1 == text.Length || (text[start + 1] < 128 && text[start] != '\r')))
            {
                AppendAscii(text[start++], output);
            }
            else
            {
                var length = StringInfo.GetNextTextElementLength(text.AsSpan(start));
                AppendCluster(text.AsSpan(start, length), output);
                start += length;
            }

            if (output.Length > Limits.Tokenizer.NormalizedCharactersMax)
            {
                throw _field.Error($"makes this text longer than {Limits.Tokenizer.NormalizedCharactersMax} characters");
            }
        }

        return output.ToString();
    }

    void AppendAscii(char c, StringBuilder output)
    {
        if (_ofAscii[c] is { } replacement)
        {
            output.Append(replacement);
        }
        else
        {
            output.Append(c);
        }
    }

    void AppendCluster(ReadOnlySpan<char> cluster, StringBuilder output)
    {
        if (Encoding.UTF8.GetByteCount(cluster) <= ClusterBytesMax && TryReplace(cluster, output))
        {
            return;
        }

        Span<char> units = stackalloc char[2];
        foreach (var rune in cluster.EnumerateRunes())
        {
            var one = units[..rune.EncodeToUtf16(units)];
            if (!TryReplace(one, output))
            {
                output.Append(one);
            }
        }
    }

    /// <summary>Appends the replacement of the shortest entry that the text begins with.</summary>
    bool TryReplace(ReadOnlySpan<char> text, StringBuilder output)
    {
        Span<byte> bytes = stackalloc byte[ClusterBytesMax];
        bytes = bytes[..Encoding.UTF8.GetBytes(text, bytes)];
        var at = OffsetOf(UnitAt(0));
        foreach (var b in bytes)
        {
            at ^= b;
            var unit = UnitAt(at);
            if (b == 0 || (unit & 0x800000FF) != b)
            {
                return false;
            }

            at ^= OffsetOf(unit);
            if ((unit & 0x100) != 0)
            {
                AppendText(UnitAt(at) & 0x7FFFFFFF, output);
                return true;
            }
        }

        return false;
    }

    /// <summary>Beyond the end there is nothing, so that a broken table finds nothing there.</summary>
    uint UnitAt(uint index) => index < _units.Length ? _units[index] : 0;

    static uint OffsetOf(uint unit) => (unit >> 10) << (int)((unit & 0x200) >> 6);

    void AppendText(uint start, StringBuilder output)
    {
        var text = _texts.AsSpan((int)Math.Min(start, _texts.Length));
        var end = text.IndexOf((byte)0);
        output.Append(Encoding.UTF8.GetString(end < 0 ? text : text[..end]));
    }

    static byte[] Decode(JsonField field)
    {
        try
        {
            return Convert.FromBase64String(field.Text(Limits.Tokenizer.CharsmapCharactersMax));
        }
        catch (FormatException e)
        {
            throw field.Error("is not base64", e);
        }
    }
}
