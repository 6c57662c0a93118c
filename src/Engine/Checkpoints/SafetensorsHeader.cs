using System.Buffers.Binary;
using System.Text.Json;

namespace Hearth.Engine.Checkpoints;

/// <summary>The header of a safetensors file: u64 length, JSON table of tensors, then the data without holes.
/// Nothing in it is believed: every range is checked against the file before a byte of data is read.</summary>
static class SafetensorsHeader
{
    const int LengthBytes = 8;

    static readonly (string Name, StoredType Type)[] Types =
        [.. Enum.GetValues<StoredType>().Where(t => !t.IsBlock()).Select(t => (t.ToString(), t))];

    /// <summary>The header's bytes in a file that begins with <paramref name="start"/>.</summary>
    /// <param name="start">The file's first eight bytes, or all of a shorter file.</param>
    public static int Measure(string file, ReadOnlySpan<byte> start, long fileLength)
    {
        if (fileLength < LengthBytes)
            throw Bad(file, null, $"the file has {fileLength} bytes, fewer than a safetensors header");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(start);
        if (length > CheckpointLimits.HeaderBytesMax)
            throw Bad(file, null, $"the header claims {length} bytes; at most {CheckpointLimits.HeaderBytesMax} are allowed");
        if ((long)length > fileLength - LengthBytes)
            throw Bad(file, null, $"the header claims {length} bytes but the file has {fileLength}");
        return (int)length;
    }

    /// <summary>Reads and checks the table.</summary>
    /// <param name="header">The JSON text, without the length field.</param>
    /// <returns>The tensors in the order of their data.</returns>
    public static List<TensorEntry> Parse(string file, ReadOnlySpan<byte> header, long fileLength)
    {
        if (header is not [(byte)'{', ..])
            throw Bad(file, null, "the header does not begin with '{'");
        var tensors = new List<TensorEntry>();
        try
        {
            ReadTable(file, header, LengthBytes + header.Length, tensors);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Utf8JsonReader throws InvalidOperationException for strings that are no valid UTF-16.
            throw new CheckpointException(file, null, $"the header is not valid JSON ({e.Message}). {Remedy}", e);
        }
        CheckLayout(file, tensors, LengthBytes + header.Length, fileLength);
        return tensors;
    }

    static void ReadTable(string file, ReadOnlySpan<byte> header, long dataStart, List<TensorEntry> tensors)
    {
        var reader = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = CheckpointLimits.JsonDepthMax });
        var names = new HashSet<string>(StringComparer.Ordinal);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueSpan.Length > CheckpointLimits.TensorNameBytesMax)
                throw Bad(file, null, $"a tensor's name has more than {CheckpointLimits.TensorNameBytesMax} bytes");
            var name = reader.GetString()!;
            if (!names.Add(name))
                throw Bad(file, name, "the name occurs twice");
            if (names.Count > CheckpointLimits.TensorsMax)
                throw Bad(file, null, $"more than {CheckpointLimits.TensorsMax} tensors");
            reader.Read();
            if (name == "__metadata__")
                CheckMetadata(file, ref reader);
            else
                tensors.Add(ReadTensor(file, name, ref reader, dataStart));
        }
        while (reader.Read())
        {
            // Reads to the end, so that anything after the object is an error.
        }
    }

    static void CheckMetadata(string file, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Bad(file, "__metadata__", "must be an object of strings");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
                throw Bad(file, "__metadata__", "must be an object of strings");
        }
    }

    static TensorEntry ReadTensor(string file, string name, ref Utf8JsonReader reader, long dataStart)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Bad(file, name, "must be an object with dtype, shape and data_offsets");
        StoredType? type = null;
        long[]? shape = null;
        long[]? offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isType = reader.ValueTextEquals("dtype"u8);
            var isShape = reader.ValueTextEquals("shape"u8);
            var isOffsets = reader.ValueTextEquals("data_offsets"u8);
            if ((isType && type is not null) || (isShape && shape is not null) || (isOffsets && offsets is not null))
                throw Bad(file, name, "a field occurs twice");
            reader.Read();
            if (isType)
                type = ReadType(file, name, ref reader);
            else if (isShape)
                shape = ReadNumbers(file, name, "shape", ref reader, CheckpointLimits.RankMax);
            else if (isOffsets)
                offsets = ReadNumbers(file, name, "data_offsets", ref reader, 2);
            else
                reader.Skip();
        }
        if (type is null || shape is null || offsets is not [var begin, var end])
            throw Bad(file, name, "needs dtype, shape and two data_offsets");
        if (end < begin)
            throw Bad(file, name, $"data_offsets [{begin}, {end}] run backwards");
        CheckSize(file, name, type.Value, shape, end - begin);
        if (begin > long.MaxValue - dataStart)
            throw Bad(file, name, $"data_offsets [{begin}, {end}] are past the end of any file");
        return new(name, type.Value, shape, dataStart + begin, end - begin);
    }

    static StoredType ReadType(string file, string name, ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            foreach (var (typeName, type) in Types)
            {
                if (reader.ValueTextEquals(typeName))
                    return type;
            }
        }
        throw Bad(file, name, $"unknown dtype; known are {string.Join(", ", Types.Select(t => t.Name))}");
    }

    static long[] ReadNumbers(string file, string name, string field, ref Utf8JsonReader reader, int countMax)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw Bad(file, name, $"{field} must be a list of whole numbers");
        Span<long> numbers = stackalloc long[CheckpointLimits.RankMax];
        var count = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var number) || number < 0)
                throw Bad(file, name, $"{field} must be a list of whole numbers from 0 to 2^63 - 1");
            if (count == countMax)
                throw Bad(file, name, $"{field} has more than {countMax} numbers");
            numbers[count++] = number;
        }
        return numbers[..count].ToArray();
    }

    static void CheckSize(string file, string name, StoredType type, long[] shape, long length)
    {
        UInt128 bytes = (UInt128)type.Size();
        foreach (var extent in shape)
        {
            bytes *= (UInt128)extent;
            if (bytes > ulong.MaxValue)
                throw Bad(file, name, $"shape [{string.Join(", ", shape)}] overflows 64 bits");
        }
        if (bytes != (UInt128)length)
            throw Bad(file, name, $"[{string.Join(", ", shape)}] of {type} needs {bytes} bytes, data_offsets give {length}");
    }

    static void CheckLayout(string file, List<TensorEntry> tensors, long dataStart, long fileLength)
    {
        tensors.Sort((a, b) => a.Offset != b.Offset ? a.Offset.CompareTo(b.Offset) : a.Length.CompareTo(b.Length));
        var next = dataStart;
        foreach (var tensor in tensors)
        {
            if (tensor.Offset != next)
                throw Bad(file, tensor.Name, tensor.Offset > next ? "a hole lies before its data" : "its data overlap others");
            if (tensor.Length > fileLength - next)
                throw Bad(file, tensor.Name, "its data end past the end of the file");
            next += tensor.Length;
        }
        if (next != fileLength)
            throw Bad(file, null, $"{fileLength - next} bytes follow the last tensor");
    }

    const string Remedy = "The file is damaged or no safetensors file: download or convert it again.";

    static CheckpointException Bad(string file, string? item, string message) => new(file, item, $"{message}. {Remedy}");
}
