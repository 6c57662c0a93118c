namespace Hearth.Kernels.Bench;

/// <summary>The matrices of a llama of 1.2B parameters (2048 x 16 layers, 32/8 heads, ffn 8192, vocabulary 128256),
/// random.</summary>
sealed class Llama1B : IDisposable
{
    public const int Hidden = 2048, KvWidth = 512, Ffn = 8192, Vocabulary = 128_256, Layers = 16;

    readonly NativeBuffer _memory;
    readonly Layer[] _layers;
    readonly MatrixView _head;
    readonly float[] _x, _wide, _y, _k, _v, _gate, _up, _logits;

    public Llama1B(DType type, int rowsMax, int layers = Layers, bool head = true)
    {
        long perLayer = (2L * Hidden * Hidden) + (2L * Hidden * KvWidth) + (3L * Hidden * Ffn);
        var elements = (layers * perLayer) + (head ? (long)Hidden * Vocabulary : 0);
        _memory = new NativeBuffer(type.RowBytes(elements));
        Fill(type);
        long at = 0;
        MatrixView Next(int rows, int columns)
        {
            var bytes = rows * type.RowBytes(columns);
            var view = new MatrixView(_memory.Memory.Slice(at, bytes), type, rows, columns);
            at += bytes;
            return view;
        }
        _layers = new Layer[layers];
        for (var i = 0; i < layers; i++)
        {
            _layers[i] = new Layer(Next(Hidden, Hidden), Next(KvWidth, Hidden), Next(KvWidth, Hidden), Next(Hidden, Hidden),
                Next(Ffn, Hidden), Next(Ffn, Hidden), Next(Hidden, Ffn));
        }
        _head = head ? Next(Vocabulary, Hidden) : default;
        var random = new Random(1);
        float[] Rows(int width) => [.. Enumerable.Range(0, rowsMax * width).Select(_ => random.NextSingle() - 0.5f)];
        (_x, _wide) = (Rows(Hidden), Rows(Ffn));
        (_y, _k, _v) = (Rows(Hidden), Rows(KvWidth), Rows(KvWidth));
        (_gate, _up, _logits) = (Rows(Ffn), Rows(Ffn), head ? new float[rowsMax * Vocabulary] : []);
        Flops = 2L * elements;
    }

    public TensorMemory Memory => _memory.Memory;

    /// <summary>Floating-point operations per row.</summary>
    public long Flops { get; }

    /// <summary>All products of one step over m rows; what lies between them is left out.</summary>
    public void Step(KernelContext context, int m)
    {
        // Inputs stay as they are: fed back, they would fade to subnormals.
        ReadOnlySpan<float> x = _x.AsSpan(0, m * Hidden), wide = _wide.AsSpan(0, m * Ffn);
        Span<float> y = _y.AsSpan(0, m * Hidden), k = _k.AsSpan(0, m * KvWidth), v = _v.AsSpan(0, m * KvWidth);
        Span<float> gate = _gate.AsSpan(0, m * Ffn), up = _up.AsSpan(0, m * Ffn);
        foreach (var layer in _layers)
        {
            MatMul.Compute(context, x, m, new Product(layer.Q, y), new Product(layer.K, k), new Product(layer.V, v));
            MatMul.Compute(context, x, m, new Product(layer.O, y));
            MatMul.Compute(context, x, m, new Product(layer.Gate, gate), new Product(layer.Up, up));
            MatMul.Compute(context, wide, m, new Product(layer.Down, y));
        }
        if (_head.Rows > 0)
        {
            MatMul.Compute(context, x, m, new Product(_head, _logits.AsSpan(0, m * Vocabulary)));
        }
    }

    public void Dispose() => _memory.Dispose();

    /// <summary>Small numbers of changing sign, whole blocks; touches every page.</summary>
    void Fill(DType type)
    {
        var pattern = Numbers(type, 1 << 18);
        for (long at = 0; at < _memory.Length; at += pattern.Length)
        {
            var count = (int)Math.Min(pattern.Length, _memory.Length - at);
            pattern.AsSpan(0, count).CopyTo(_memory.AsSpan<byte>(at, count));
        }
    }

    /// <summary>Random numbers, finite in each type. What no writer is there for: random bytes between sound scales.</summary>
    public static byte[] Numbers(DType type, int count)
    {
        var random = new Random(2);
        float[] values = [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() - 0.5f) * 0.04f)];
        using var context = new KernelContext(1);
        var bytes = new byte[type.RowBytes(count)];
        if (type.IsWide())
        {
            Hearth.Kernels.Numbers.Narrow(context, type, values, bytes);
        }
        else if (type is DType.Q8 or DType.Q4)
        {
            using NativeBuffer source = new(count * 4L), target = new(bytes.Length);
            values.CopyTo(source.AsSpan<float>());
            Quantization.Compute(context, new MatrixView(source.Memory, DType.F32, 1, count), type, target);
            target.AsSpan<byte>().CopyTo(bytes);
        }
        else
        {
            random.NextBytes(bytes);
            for (var at = 0; at < bytes.Length; at += Math.Max(2, type.BlockBytes()))
            {
                var scale = at + (type == DType.Q6K ? 208 : type is DType.F8E4M3Scaled or DType.F8E5M2Scaled ? 2 : 0);
                bytes.AsSpan(scale, 2).Clear();
            }
        }
        return bytes;
    }

    sealed record Layer(MatrixView Q, MatrixView K, MatrixView V, MatrixView O, MatrixView Gate, MatrixView Up, MatrixView Down);
}
