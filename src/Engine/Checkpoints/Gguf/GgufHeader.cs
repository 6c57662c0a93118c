using Hearth.Kernels;

namespace Hearth.Engine.Checkpoints;

/// <summary>A GGUF file's fields and tensors, versions 2 and 3, little-endian: magic, version, counts, fields, tensors, then data
/// at aligned places.</summary>
/// <param name="Tensors">As the file names them, shapes row-major, in the order of their data.</param>
sealed record GgufHeader(GgufFields Fields, IReadOnlyList<TensorEntry> Tensors)
{
    const uint Magic = 0x46554747;
    const int FieldBytesMin = 13, TensorBytesMin = 32;

    /// <summary>ggml's numbers of types.</summary>
    static readonly Dictionary<uint, StoredType> Types = new()
    {
        [0] = StoredType.F32,
        [1] = StoredType.F16,
        [2] = StoredType.Q4_0,
        [3] = StoredType.Q4_1,
        [6] = StoredType.Q5_0,
        [7] = StoredType.Q5_1,
        [8] = StoredType.Q8_0,
        [12] = StoredType.Q4_K,
        [13] = StoredType.Q5_K,
        [14] = StoredType.Q6_K,
        [30] = StoredType.BF16,
    };

    /// <exception cref="CheckpointException">The header is not sound, or holds what is not served.</exception>
    public static GgufHeader Parse(string file, TensorMemory memory)
    {
        var reader = new GgufReader(file, memory);
        if (reader.UInt32("magic") != Magic)
            throw reader.Bad("magic", "is not 'GGUF'");
        if (reader.UInt32("version") is var version and not (2 or 3))
            throw reader.Bad("version", $"{version} is not supported; supported are 2 and 3, little-endian");
        var tensors = reader.Count("tensor_count", TensorBytesMin, CheckpointLimits.TensorsMax);
        var fields = ReadFields(file, reader, reader.Count("metadata_kv_count", FieldBytesMin, CheckpointLimits.GgufFieldsMax));
        if (fields.WholeOrNull("split.count", 0, ushort.MaxValue) is > 1 and var parts)
            throw fields.Bad("split.count", $"the model lies in {parts} files: merge them first (llama-gguf-split --merge)");
        var alignment = fields.WholeOrNull("general.alignment", 1, 1 << 20) ?? 32;
        var entries = new List<TensorEntry>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < tensors; i++)
            entries.Add(ReadTensor(reader, names, alignment));
        var start = (reader.Position + alignment - 1) / alignment * alignment;
        return new(fields, Place(reader, entries, start, memory.Length));
    }

    static GgufFields ReadFields(string file, GgufReader reader, int count)
    {
        var values = new Dictionary<string, object>(StringComparer.Ordinal);
        for (var i = 0; i < count; i++)
        {
            var name = reader.Text($"field {i}", CheckpointLimits.TensorNameBytesMax);
            if (!values.TryAdd(name, reader.Value(name)))
                throw reader.Bad(name, "occurs twice");
        }
        return new(file, values);
    }

    static TensorEntry ReadTensor(GgufReader reader, HashSet<string> names, int alignment)
    {
        var name = reader.Text($"tensor {names.Count}", CheckpointLimits.TensorNameBytesMax);
        if (!names.Add(name))
            throw reader.Bad(name, "occurs twice");
        var rank = reader.UInt32(name);
        if (rank > 4)
            throw reader.Bad(name, $"has {rank} dimensions; at most 4 are allowed");
        var shape = new long[rank];
        UInt128 elements = 1;
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            var extent = reader.UInt64(name);
            elements *= extent;
            if (extent > long.MaxValue || elements > long.MaxValue)
                throw reader.Bad(name, "has a shape that overflows 63 bits");
            shape[i] = (long)extent;
        }
        var type = reader.UInt32(name);
        if (!Types.TryGetValue(type, out var stored))
        {
            throw reader.Bad(name,
                $"is stored in ggml's type {type}, which is not served; served are {string.Join(", ", Types.Values)}");
        }
        var offset = reader.UInt64(name);
        if (offset > long.MaxValue || offset % (ulong)alignment != 0)
            throw reader.Bad(name, $"begins at {offset}, which is no multiple of the alignment {alignment}");
        return new(name, stored, shape, (long)offset, Bytes(reader, name, stored, shape, elements));
    }

    static long Bytes(GgufReader reader, string name, StoredType type, long[] shape, UInt128 elements)
    {
        var weight = type.Weight()!.Value;
        var columns = shape.Length == 0 ? 1 : shape[^1];
        if (columns % weight.BlockColumns() != 0)
            throw reader.Bad(name, $"has rows of {columns}, no multiple of the {weight.BlockColumns()} columns of a block");
        var bytes = elements / (UInt128)weight.BlockColumns() * (UInt128)weight.BlockBytes();
        return bytes <= long.MaxValue ? (long)bytes : throw reader.Bad(name, "has a size that overflows 63 bits");
    }

    /// <summary>From places within the data to places in the file; data must not overlap.</summary>
    static List<TensorEntry> Place(GgufReader reader, List<TensorEntry> entries, long start, long fileLength)
    {
        var next = 0L;
        entries.Sort((a, b) => a.Offset != b.Offset ? a.Offset.CompareTo(b.Offset) : a.Length.CompareTo(b.Length));
        foreach (var entry in entries)
        {
            if (entry.Offset < next)
                throw reader.Bad(entry.Name, "its data overlap others");
            if (entry.Offset > fileLength - start || entry.Length > fileLength - start - entry.Offset)
                throw reader.Bad(entry.Name, "its data end past the end of the file");
            next = entry.Offset + entry.Length;
        }
        return [.. entries.Select(entry => entry with { Offset = start + entry.Offset })];
    }
}
