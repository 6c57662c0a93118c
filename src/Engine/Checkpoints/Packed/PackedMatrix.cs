using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Hearth.Kernels;

namespace Hearth.Engine.Checkpoints;

/// <summary>
/// One linear map of a GPTQ or AWQ checkpoint: weight [o, i] = scale [g, o] * (number [i, o] - zero [g, o]), g the group of input
/// i. Exact in blocks of 32 where their inputs share a group: Q4 (all zeros are 8), Q4Zero or Q8; otherwise (activation order)
/// rounded once to the scales' own type, as the format's own library does.
/// </summary>
sealed class PackedMatrix
{
    const int Block = 32;

    // AWQ: which of eight outputs lies at bits 4 j.
    static readonly int[] AwqOrder = [0, 2, 4, 6, 1, 3, 5, 7];

    readonly PackedFormat _format;
    readonly string _file;
    readonly string _name;
    readonly int _rows, _columns;
    readonly TensorMemory _numbers;
    readonly TensorEntry _scalesEntry;
    readonly float[] _scales;
    readonly int[] _groupOf;
    readonly byte[] _zeros;

    PackedMatrix(Checkpoint checkpoint, PackedFormat format, string name, int rows, int columns)
    {
        (_format, _file, _name, _rows, _columns) = (format, checkpoint.FileOf($"{name}.qweight"), name, rows, columns);
        var (perWord, size) = (format.PerWord, format.GroupSize == 0 ? columns : format.GroupSize);
        if ((format.IsAwq ? rows : columns) % perWord != 0 || rows % perWord != 0)
            throw Bad("qweight", $"[{rows}, {columns}] cannot be packed {perWord} to a word");
        var groups = (columns + size - 1) / size;
        _numbers = Words(checkpoint, "qweight",
            format.IsAwq ? columns : columns / perWord, format.IsAwq ? rows / perWord : rows);
        var (entry, data) = checkpoint.Tensor($"{name}.scales", groups, rows);
        if (entry.Type.Weight() is not { } type || !type.IsWide())
            throw Bad("scales", $"is stored as {entry.Type}; scales are F16, BF16 or F32");
        _scalesEntry = entry;
        using (var context = new KernelContext(1))
            _scales = Numbers.ToSingles(context, type, data);
        _groupOf = Groups(checkpoint, groups, size);
        _zeros = Zeros(Words(checkpoint, "qzeros", groups, rows / perWord).Bytes, groups);
    }

    /// <param name="weight">The name the matrix would have if it were not packed.</param>
    /// <returns>Null if it is not packed.</returns>
    public static PackedMatrix? Find(Checkpoint checkpoint, PackedFormat format, string weight, int rows, int columns)
    {
        const string Suffix = ".weight";
        var name = weight.EndsWith(Suffix, StringComparison.Ordinal) ? weight[..^Suffix.Length] : weight;
        return !checkpoint.Contains(weight) && checkpoint.Contains($"{name}.qweight")
            ? new(checkpoint, format, name, rows, columns)
            : null;
    }

    public MatrixView Unpack(int threads, Func<long, NativeBuffer> allocate)
    {
        var type = Type();
        var rowBytes = (int)type.RowBytes(_columns);
        var target = allocate((long)_rows * rowBytes);
        Parallel.For(0, (_rows + Block - 1) / Block, new ParallelOptions { MaxDegreeOfParallelism = threads }, chunk =>
        {
            var first = chunk * Block;
            var numbers = Numbers32(first);
            for (var row = first; row < Math.Min(_rows, first + Block); row++)
            {
                Write(type, row, numbers.AsSpan((row - first) * _columns, _columns),
                    target.AsSpan<byte>((long)row * rowBytes, rowBytes));
            }
        });
        return new(target.Memory, type, _rows, _columns);
    }

    DType Type()
    {
        var shared = Enumerable.Range(0, (_columns + Block - 1) / Block).All(b =>
            _groupOf.AsSpan(b * Block, Math.Min(Block, _columns - b * Block)).IndexOfAnyExcept(_groupOf[b * Block]) < 0);
        if (!shared || Array.Exists(_scales, s => (float)(Half)s != s))
            return _scalesEntry.Type == StoredType.F16 ? DType.F16 : DType.F32;
        var middle = (byte)(1 << (_format.Bits - 1));
        var symmetric = _zeros.AsSpan().IndexOfAnyExcept(middle) < 0;
        return (_format.Bits, symmetric) switch
        {
            (4, true) => DType.Q4,
            (4, false) => DType.Q4Zero,
            (_, true) => DType.Q8,
            _ => _scalesEntry.Type == StoredType.F16 ? DType.F16 : DType.F32,
        };
    }

    void Write(DType type, int row, ReadOnlySpan<byte> numbers, Span<byte> target)
    {
        if (type.IsWide())
        {
            for (var i = 0; i < _columns; i++)
                WriteWide(type, Scale(i, row) * (numbers[i] - Zero(i, row)), target, i);
            return;
        }
        for (var from = 0; from < _columns; from += Block)
        {
            var block = target.Slice(from / Block * type.BlockBytes(), type.BlockBytes());
            BinaryPrimitives.WriteHalfLittleEndian(block, (Half)Scale(from, row));
            if (type == DType.Q4Zero)
                BinaryPrimitives.WriteHalfLittleEndian(block[2..], (Half)Zero(from, row));
            var (at, count) = (type == DType.Q4Zero ? 4 : 2, Math.Min(Block, _columns - from));
            for (var i = 0; i < count; i++)
            {
                if (type == DType.Q8)
                    block[at + i] = (byte)(numbers[from + i] - 128);
                else
                    block[at + i % 16] |= (byte)(numbers[from + i] << (i < 16 ? 0 : 4));
            }
        }
    }

    static void WriteWide(DType type, float value, Span<byte> target, int i)
    {
        if (type == DType.F16)
            BinaryPrimitives.WriteHalfLittleEndian(target[(2 * i)..], (Half)value);
        else
            BinaryPrimitives.WriteSingleLittleEndian(target[(4 * i)..], value);
    }

    float Scale(int column, int row) => _scales[_groupOf[column] * _rows + row];

    int Zero(int column, int row) => _zeros[_groupOf[column] * _rows + row];

    /// <summary>The numbers of up to 32 outputs, [output][input].</summary>
    byte[] Numbers32(int first)
    {
        var (count, mask) = (Math.Min(Block, _rows - first), (1u << _format.Bits) - 1);
        var numbers = new byte[count * _columns];
        var words = MemoryMarshal.Cast<byte, uint>(_numbers.Bytes);
        if (_format.IsAwq)
        {
            for (var i = 0; i < _columns; i++)
            {
                for (var o = 0; o < count; o++)
                    numbers[o * _columns + i] = (byte)((words[i * (_rows / 8) + (first + o) / 8] >> AwqShift(o)) & mask);
            }
            return numbers;
        }
        for (var p = 0; p < _columns / _format.PerWord; p++)
        {
            for (var o = 0; o < count; o++)
            {
                var word = words[p * _rows + first + o];
                for (var j = 0; j < _format.PerWord; j++, word >>= _format.Bits)
                    numbers[o * _columns + p * _format.PerWord + j] = (byte)(word & mask);
            }
        }
        return numbers;
    }

    /// <summary>[group][output], what is stored and what the format adds to it.</summary>
    byte[] Zeros(ReadOnlySpan<byte> bytes, int groups)
    {
        var (words, perWord, mask) = (MemoryMarshal.Cast<byte, uint>(bytes).ToArray(), _format.PerWord, (1u << _format.Bits) - 1);
        var zeros = new byte[groups * _rows];
        for (var i = 0; i < zeros.Length; i++)
        {
            var shift = _format.IsAwq ? AwqShift(i % _rows) : i % _rows % perWord * _format.Bits;
            var zero = ((words[i / _rows * (_rows / perWord) + i % _rows / perWord] >> shift) & mask) + (uint)_format.ZeroShift;
            zeros[i] = zero <= 255 ? (byte)zero : throw Bad("qzeros", "holds a zero point of 256");
        }
        return zeros;
    }

    static int AwqShift(int output) => 4 * Array.IndexOf(AwqOrder, output % 8);

    int[] Groups(Checkpoint checkpoint, int groups, int size)
    {
        if (!checkpoint.Contains($"{_name}.g_idx"))
            return [.. Enumerable.Range(0, _columns).Select(i => i / size)];
        var indices = MemoryMarshal.Cast<byte, int>(Words(checkpoint, "g_idx", _columns).Bytes).ToArray();
        return Array.FindIndex(indices, i => i < 0 || i >= groups) is >= 0 and var bad
            ? throw Bad("g_idx", $"names group {indices[bad]} of {groups}")
            : indices;
    }

    TensorMemory Words(Checkpoint checkpoint, string part, params ReadOnlySpan<long> shape)
    {
        var (entry, data) = checkpoint.Tensor($"{_name}.{part}", shape);
        if (entry.Type is not (StoredType.I32 or StoredType.U32))
            throw Bad(part, $"is stored as {entry.Type}; packed words are I32");
        return data.Length <= int.MaxValue ? data : throw Bad(part, "has more than 2 GiB");
    }

    CheckpointException Bad(string part, string message) => new(_file, $"{_name}.{part}", $"{message}.");
}
