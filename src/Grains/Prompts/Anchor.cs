using System.Buffers.Binary;
using System.Security.Cryptography;
using Hearth.Text;

namespace Hearth.Grains.Prompts;

/// <summary>A place at a reply's end where text and exact tokens meet: the first <paramref name="Tokens"/> tokens of the
/// conversation stand for the first <paramref name="Characters"/> characters of its rendered text.</summary>
/// <param name="TextHash">Of those characters, each with whether the template wrote it.</param>
/// <param name="TokenHash">Of those tokens.</param>
sealed record Anchor(int Tokens, int Characters, string TextHash, string TokenHash);

/// <summary>Hashes of beginnings: 128 bits of SHA-256, in hex.</summary>
static class PrefixHash
{
    const int BufferUnits = 1024;

    /// <param name="lengths">In characters, ascending; those beyond the text are left out of the answer.</param>
    public static List<string> OfText(IEnumerable<TextSegment> segments, IReadOnlyList<int> lengths) =>
        Of(segments.SelectMany(s => s.Text.Select(c => (s.IsTemplate ? 1u << 16 : 0u) | c)), lengths);

    /// <param name="lengths">In tokens, ascending; those beyond the tokens are left out of the answer.</param>
    public static List<string> OfTokens(IEnumerable<int> tokens, IReadOnlyList<int> lengths) =>
        Of(tokens.Select(t => (uint)t), lengths);

    static List<string> Of(IEnumerable<uint> units, IReadOnlyList<int> lengths)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[BufferUnits * sizeof(uint)];
        var (hashes, filled, at) = (new List<string>(lengths.Count), 0, 0);
        Take();
        foreach (var unit in units)
        {
            if (hashes.Count == lengths.Count)
                break;
            BinaryPrimitives.WriteUInt32LittleEndian(buffer.AsSpan(filled), unit);
            filled += sizeof(uint);
            at++;
            if (filled == buffer.Length)
                Empty();
            Take();
        }
        return hashes;

        void Take()
        {
            while (hashes.Count < lengths.Count && lengths[hashes.Count] == at)
            {
                Empty();
                hashes.Add(Convert.ToHexStringLower(hash.GetCurrentHash().AsSpan(0, 16)));
            }
        }

        void Empty()
        {
            hash.AppendData(buffer.AsSpan(0, filled));
            filled = 0;
        }
    }
}
