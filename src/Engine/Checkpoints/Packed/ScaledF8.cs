using System.Buffers.Binary;
using Hearth.Kernels;

namespace Hearth.Engine.Checkpoints;

/// <summary>f8 weights with their scales beside them, as published: one per tensor, one per row (compressed-tensors), or one per
/// block of 128 x 128 (DeepSeek, transformers' fp8). They are laid out with the scale before every 128 columns.</summary>
static class ScaledF8
{
    const int Columns = 128;

    /// <summary>The scales of an f8 tensor; null if it has none.</summary>
    public static TensorEntry? Find(Checkpoint checkpoint, TensorEntry weight) =>
        weight.Type is StoredType.F8_E4M3 or StoredType.F8_E5M2
            ? checkpoint.Find($"{weight.Name}_scale_inv") ?? checkpoint.Find($"{weight.Name}_scale")
            : null;

    public static MatrixView Load(
        Checkpoint checkpoint, TensorEntry scale, MatrixView stored, KernelContext context, Func<long, NativeBuffer> allocate)
    {
        var (rows, columns) = (stored.Rows, stored.Columns);
        var (blockRows, blockColumns) = Blocks(checkpoint, scale, rows, columns);
        var type = scale.Type.Weight();
        if (type is not { } scaleType || !scaleType.IsWide())
            throw Bad(checkpoint, scale, $"is stored as {scale.Type}; scales are F32, F16 or BF16");
        var scales = Numbers.ToSingles(context, scaleType, checkpoint.Tensor(scale.Name, scale.Shape).Data);
        var target = stored.Type == DType.F8E4M3 ? DType.F8E4M3Scaled : DType.F8E5M2Scaled;
        var rowBytes = (int)target.RowBytes(columns);
        var buffer = allocate((long)rows * rowBytes);
        var across = (columns + blockColumns - 1) / blockColumns;
        Parallel.For(0, rows, new ParallelOptions { MaxDegreeOfParallelism = context.Threads }, row =>
        {
            var source = stored.SliceRows(row, 1).Memory.Bytes;
            var bytes = buffer.AsSpan<byte>((long)row * rowBytes, rowBytes);
            for (var from = 0; from < columns; from += Columns)
            {
                var block = bytes[(from / Columns * target.BlockBytes())..];
                BinaryPrimitives.WriteSingleLittleEndian(block, scales[row / blockRows * across + from / blockColumns]);
                source[from..Math.Min(columns, from + Columns)].CopyTo(block[sizeof(float)..]);
            }
        });
        return new(buffer.Memory, target, rows, columns);
    }

    /// <summary>Rows and columns that share a scale.</summary>
    static (int Rows, int Columns) Blocks(Checkpoint checkpoint, TensorEntry scale, int rows, int columns)
    {
        if (scale.Elements == 1)
            return (rows, columns);
        if (scale.Shape.Length is 1 or 2 && scale.Shape[0] == rows && scale.Elements == rows)
            return (1, columns);
        var sizes = checkpoint.Config.Section("quantization_config")?.IntsOf("weight_block_size", 1, 1 << 16, 2) ?? [128, 128];
        if (scale.Shape is [var down, var across] && sizes is [var high, var wide] && wide % Columns == 0
            && down == (rows + high - 1) / high && across == (columns + wide - 1) / wide)
        {
            return (high, wide);
        }
        throw Bad(checkpoint, scale, $"has shape {scale.ShapeText}; a matrix of [{rows}, {columns}] has one scale, " +
            "one per row, or one per block of quantization_config.weight_block_size, whose columns are a multiple of 128");
    }

    static CheckpointException Bad(Checkpoint checkpoint, TensorEntry scale, string message) =>
        new(checkpoint.FileOf(scale.Name), scale.Name, $"{message}.");
}
