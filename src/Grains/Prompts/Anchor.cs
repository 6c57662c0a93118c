using System.Buffers.Binary;
using System.Security.Cryptography;
using Hearth.Text;

namespace Hearth.Grains.Prompts;

/// <summary>A place at a reply's end where text and exact tokens meet: the first <paramref name="Tokens"/> tokens of the
/// conversation stand for the first <paramref name="Characters"/> characters of its rendered text.</summary>
/// <param name="TextHash">Of those characters, each with whether the template wrote it.</param>
/// <param name="TokenHash">Of those tokens.</param>
sealed record Anchor(int Tokens, int Characters, string TextHash, string TokenHash);

/// <summary>Hashes of beginnings: 128 bits of SHA-256, in hex, by length. Lengths beyond the end have none.</summary>
sealed class PrefixHash : IDisposable
{
    const int BufferUnits = 4096;

    readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    readonly byte[] _buffer = new byte[BufferUnits * sizeof(uint)];
    readonly Queue<int> _wanted;
    readonly Dictionary<int, string> _hashes = [];
    int _filled;
    int _at;

    PrefixHash(IEnumerable<int> lengths) => _wanted = new Queue<int>(lengths.Where(l => l > 0).Distinct().Order());

    /// <param name="lengths">In characters.</param>
    public static Dictionary<int, string> OfText(IReadOnlyList<TextSegment> segments, IEnumerable<int> lengths)
    {
        using var hash = new PrefixHash(lengths);
        foreach (var segment in segments)
        {
            var written = segment.IsTemplate ? 1u << 16 : 0u;
            foreach (var c in segment.Text)
                hash.Add(written | c);
        }
        return hash._hashes;
    }

    /// <param name="lengths">In tokens.</param>
    public static Dictionary<int, string> OfTokens(ReadOnlySpan<int> tokens, IEnumerable<int> lengths)
    {
        using var hash = new PrefixHash(lengths);
        foreach (var token in tokens)
            hash.Add((uint)token);
        return hash._hashes;
    }

    public void Dispose() => _hash.Dispose();

    void Add(uint unit)
    {
        if (_wanted.Count == 0)
            return;
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer.AsSpan(_filled), unit);
        _filled += sizeof(uint);
        var wanted = ++_at == _wanted.Peek();
        if (!wanted && _filled < _buffer.Length)
            return;
        _hash.AppendData(_buffer.AsSpan(0, _filled));
        _filled = 0;
        if (wanted)
            _hashes.Add(_wanted.Dequeue(), Convert.ToHexStringLower(_hash.GetCurrentHash().AsSpan(0, 16)));
    }
}
