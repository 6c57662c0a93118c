using Hearth.Kernels;

namespace Hearth.Engine.Checkpoints;

/// <summary>What a matrix is used for, which decides whether it may be rounded.</summary>
enum MatrixUse
{
    /// <summary>A linear map inside a layer.</summary>
    Layer,

    /// <summary>Embeddings and head: rounded to 8 bits at least.</summary>
    Table,

    /// <summary>Small and sensitive (a router, learned positions): never rounded.</summary>
    Exact,
}

/// <summary>A checkpoint's tensors as kernels take them. What lies in a file as it is used stays mapped; scaled f8, GPTQ and AWQ
/// are laid out anew, exactly wherever there is such a layout; on request matrices are rounded to blocks of 8 or 4
/// bits.</summary>
sealed class WeightStore : IDisposable
{
    readonly Checkpoint _checkpoint;
    readonly KernelContext _context;
    readonly DType? _rounding;
    readonly PackedFormat? _packed;
    readonly HashSet<string> _used = new(StringComparer.Ordinal);
    readonly Dictionary<(string Name, bool Transposed, MatrixUse Use), MatrixView> _matrices = [];
    readonly List<NativeBuffer> _buffers = [];

    /// <param name="context">Used while loading only.</param>
    /// <param name="rounding">Q8, Q4, or null to keep every matrix as it is stored.</param>
    /// <exception cref="CheckpointException">The checkpoint is quantized in a way that is not served.</exception>
    public WeightStore(Checkpoint checkpoint, KernelContext context, DType? rounding = null)
    {
        (_checkpoint, _context, _rounding) = (checkpoint, context, rounding);
        _packed = PackedFormat.Read(checkpoint.Config);
    }

    /// <summary>Numbers in the tensors used, each counted once.</summary>
    public long Parameters { get; private set; }

    /// <summary>What the matrices take in memory, mapped or not, by format.</summary>
    public IEnumerable<(DType Type, int Count, long Bytes)> Formats => _matrices.Values
        .GroupBy(m => m.Type).Select(g => (g.Key, g.Count(), g.Sum(m => m.Memory.Length))).OrderBy(f => f.Key);

    /// <param name="transposed">Stored as [columns, rows].</param>
    /// <exception cref="CheckpointException">It is missing, or its shape or type is not what is asked for.</exception>
    public MatrixView Matrix(string name, int rows, int columns, MatrixUse use = MatrixUse.Layer, bool transposed = false)
    {
        if (!_matrices.TryGetValue((name, transposed, use), out var matrix))
            _matrices.Add((name, transposed, use), matrix = Round(Load(name, rows, columns, transposed), use));
        return matrix;
    }

    /// <summary>A stack of matrices in one tensor [count, rows, columns], as one of count * rows rows.</summary>
    public MatrixView Stack(string name, int count, int rows, int columns)
    {
        if (!_matrices.TryGetValue((name, false, MatrixUse.Layer), out var matrix))
        {
            var (entry, data) = _checkpoint.Tensor(name, count, rows, columns);
            Count(name, (long)count * rows * columns);
            matrix = Round(new(data, TypeOf(entry), checked(count * rows), columns), MatrixUse.Layer);
            _matrices.Add((name, false, MatrixUse.Layer), matrix);
        }
        return matrix;
    }

    /// <summary>A small tensor in f32.</summary>
    public float[] Vector(string name, params ReadOnlySpan<long> shape)
    {
        var (entry, data) = _checkpoint.Tensor(name, shape);
        Count(name, entry.Elements);
        var type = TypeOf(entry);
        return type.IsWide()
            ? Numbers.ToSingles(_context, type, data)
            : throw Bad(entry, $"is stored as {entry.Type}; a tensor of this kind is served in F32, F16 and BF16 only");
    }

    /// <summary>A vector that may be stored as a matrix of one row.</summary>
    public float[] Flat(string name, int length) =>
        _checkpoint.Tensors.Any(t => t.Name == name && t.Shape.Length == 2) ? Vector(name, 1, length) : Vector(name, length);

    /// <summary>Memory that lives as long as the weights.</summary>
    public NativeBuffer Allocate(long bytes)
    {
        var buffer = new NativeBuffer(bytes);
        _buffers.Add(buffer);
        return buffer;
    }

    public void Dispose()
    {
        foreach (var buffer in _buffers)
            buffer.Dispose();
    }

    MatrixView Load(string name, int rows, int columns, bool transposed)
    {
        Count(name, (long)rows * columns);
        if (_packed is not null && PackedMatrix.Find(_checkpoint, _packed, name, rows, columns) is { } packed)
            return packed.Unpack(_context.Threads, Allocate);
        var (entry, data) = transposed ? _checkpoint.Tensor(name, columns, rows) : _checkpoint.Tensor(name, rows, columns);
        var stored = new MatrixView(data, TypeOf(entry), transposed ? columns : rows, transposed ? rows : columns);
        var scaled = ScaledF8.Find(_checkpoint, entry);
        if (transposed && (scaled is not null || stored.Type.BlockColumns() > 1))
            throw Bad(entry, $"is stored as {entry.Type} and transposed, which is not served");
        if (scaled is not null)
            return ScaledF8.Load(_checkpoint, scaled, stored, _context, Allocate);
        return transposed ? Transpose.Compute(_context, stored, Allocate(stored.Memory.Length)) : stored;
    }

    MatrixView Round(MatrixView matrix, MatrixUse use)
    {
        if (_rounding is not { } type || use == MatrixUse.Exact)
            return matrix;
        type = use == MatrixUse.Table ? DType.Q8 : type;
        return matrix.Type.RowBytes(256) <= type.RowBytes(256)
            ? matrix
            : Quantization.Compute(_context, matrix, type, Allocate(matrix.Rows * type.RowBytes(matrix.Columns)));
    }

    void Count(string name, long elements)
    {
        if (_used.Add(name))
            Parameters += elements;
    }

    DType TypeOf(TensorEntry entry) => entry.Type.Weight()
        ?? throw Bad(entry, $"is stored as {entry.Type}; served are F32, F16 and BF16, f8, and the 4- to 8-bit formats of GGUF");

    CheckpointException Bad(TensorEntry entry, string message) =>
        new(_checkpoint.FileOf(entry.Name), entry.Name, $"{message}. Convert the checkpoint to one of them.");
}
