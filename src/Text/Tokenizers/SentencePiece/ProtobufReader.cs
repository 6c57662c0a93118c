using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using System.Text.Unicode;

namespace Hearth.Text.Tokenizers;

/// <summary>Reads the fields of a message in Protocol Buffers' wire format; lengths are checked against what is there.</summary>
/// <param name="path">The message's path in the file, for errors.</param>
ref struct ProtobufReader(string file, string path, ReadOnlySpan<byte> bytes)
{
    const int VarintBytesMax = 10;
    readonly ReadOnlySpan<byte> _bytes = bytes;
    int _position;
    ulong _number;
    ReadOnlySpan<byte> _content;

    /// <summary>The number of the field that <see cref="Next"/> came to.</summary>
    internal int Field { get; private set; }

    /// <summary>Reads the next field; false at the end of the message.</summary>
    internal bool Next()
    {
        if (_position == _bytes.Length)
        {
            return false;
        }

        var tag = Varint();
        Field = tag >> 3 is > 0 and <= int.MaxValue ? (int)(tag >> 3) : throw Error("has a field number that cannot be");
        _content = default;
        switch (tag & 7)
        {
            case 0:
                _number = Varint();
                break;
            case 1:
                _number = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                break;
            case 2:
                _content = Take(Varint());
                break;
            case 5:
                _number = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            default:
                throw Error($"has a field of wire type {tag & 7}, which is not used any more");
        }

        return true;
    }

    internal readonly int Int => (int)_number;

    internal readonly bool Flag => _number != 0;

    internal readonly float Float => BitConverter.UInt32BitsToSingle((uint)_number);

    internal readonly ReadOnlySpan<byte> Bytes => _content;

    internal readonly string Text(string name) => Utf8.IsValid(_content) ? Encoding.UTF8.GetString(_content)
        : throw new TokenizerException(file, $"{path}{name}", "is not valid UTF-8");

    internal readonly ProtobufReader Message(string name) => new(file, $"{path}{name}.", _content);

    readonly TokenizerException Error(string problem)
        => new(file, path.TrimEnd('.'), $"is no SentencePiece model: {problem} at byte {_position} of the message");

    ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)(_bytes.Length - _position))
        {
            throw Error($"wants {count} bytes where {_bytes.Length - _position} are left");
        }

        var taken = _bytes.Slice(_position, (int)count);
        _position += (int)count;
        return taken;
    }

    ulong Varint()
    {
        var value = 0UL;
        for (var i = 0; i < VarintBytesMax; i++)
        {
            var b = Take(1)[0];
            value |= BitOperations.RotateLeft(b & 0x7FUL, 7 * i);
            if (b < 0x80)
            {
                return value;
            }
        }

        throw Error("has a number of more than ten bytes");
    }
}
