using System.Buffers.Binary;
using System.Text;
using Hearth.Kernels;

namespace Hearth.Engine.Checkpoints;

/// <summary>Reads the header of a GGUF file from its first byte on. Nothing in it is believed: every length is compared with what
/// is left of the file before anything is allocated for it.</summary>
sealed class GgufReader(string file, TensorMemory memory)
{
    static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Bytes of a value by its type's number; 0 for those without a fixed size.</summary>
    static readonly int[] Sizes = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];

    const int Bool = 7, String = 8, List = 9;

    int _itemsLeft = CheckpointLimits.GgufItemsMax;

    public long Position { get; private set; }

    public uint UInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, what));

    public ulong UInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, what));

    /// <summary>A count of things that take at least so many bytes each.</summary>
    public int Count(string what, int bytesEach, int countMax)
    {
        var count = UInt64(what);
        if (count > (ulong)countMax)
            throw Bad(what, $"claims {count} entries; at most {countMax} are allowed");
        if (count * (ulong)bytesEach > (ulong)(memory.Length - Position))
            throw Bad(what, $"claims {count} entries, more than the file has bytes for");
        return (int)count;
    }

    public string Text(string what, int bytesMax)
    {
        var length = UInt64(what);
        if (length > (ulong)bytesMax)
            throw Bad(what, $"has {length} bytes; at most {bytesMax} are allowed");
        try
        {
            return Utf8.GetString(Take((int)length, what));
        }
        catch (DecoderFallbackException e)
        {
            throw new CheckpointException(file, what, $"is not UTF-8 text. {Remedy}", e);
        }
    }

    /// <returns>A double, bool, string, double[] or string[]; whole numbers are exact up to 2^53.</returns>
    public object Value(string field)
    {
        var type = UInt32(field);
        return type == List ? Items(field) : Single(field, type);
    }

    public CheckpointException Bad(string? what, string message) => new(file, what, $"{message}. {Remedy}");

    object Items(string field)
    {
        var type = UInt32(field);
        if (type == List || type >= Sizes.Length)
            throw Bad(field, $"is a list of type {type}, which is not supported");
        var count = Count(field, type == String ? sizeof(ulong) : Sizes[type], _itemsLeft);
        _itemsLeft -= count;
        if (type == String)
        {
            var texts = new string[count];
            for (var i = 0; i < count; i++)
                texts[i] = Text(field, CheckpointLimits.GgufItemBytesMax);
            return texts;
        }
        var numbers = new double[count];
        for (var i = 0; i < count; i++)
            numbers[i] = Number(type, Take(Sizes[type], field));
        return numbers;
    }

    object Single(string field, uint type) => type switch
    {
        String => Text(field, CheckpointLimits.GgufTextBytesMax),
        Bool => Take(1, field)[0] != 0,
        _ when type < Sizes.Length => Number(type, Take(Sizes[type], field)),
        _ => throw Bad(field, $"is of type {type}, which is none of GGUF's"),
    };

    static double Number(uint type, ReadOnlySpan<byte> bytes) => type switch
    {
        0 or Bool => bytes[0],
        1 => (sbyte)bytes[0],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
        3 => BinaryPrimitives.ReadInt16LittleEndian(bytes),
        4 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        5 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
        6 => BinaryPrimitives.ReadSingleLittleEndian(bytes),
        10 => BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        11 => BinaryPrimitives.ReadInt64LittleEndian(bytes),
        _ => BinaryPrimitives.ReadDoubleLittleEndian(bytes),
    };

    ReadOnlySpan<byte> Take(int count, string what)
    {
        if (count > memory.Length - Position)
            throw Bad(what, "lies past the end of the file");
        if (Position + count > CheckpointLimits.HeaderBytesMax)
            throw Bad(what, $"lies beyond the first {CheckpointLimits.HeaderBytesMax} bytes, the most that a header may have");
        var bytes = memory.Slice(Position, count).Bytes;
        Position += count;
        return bytes;
    }

    const string Remedy = "The file is damaged or no GGUF file: download or convert it again.";
}
