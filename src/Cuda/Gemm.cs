using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Hearth.Cuda.Native;
using Hearth.Kernels;

namespace Hearth.Cuda;

/// <summary>One product's shape: y [rows, n] = x [rows, k] w^T + bias, x and w of one type, sums in f32.</summary>
/// <param name="Output">Of y and of the bias: the inputs' type or f32.</param>
/// <param name="Bias">A vector is added.</param>
/// <param name="Accumulate">The product is added to y.</param>
readonly record struct GemmShape(int Rows, int N, int K, DType Type, DType Output, bool Bias, bool Accumulate)
{
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Rows}x{N}x{K} {Type} {Output} {(Bias ? 1 : 0)}{(Accumulate ? 1 : 0)}");
}

/// <summary>cuBLASLt's products. The algorithm of a shape is timed once and kept on disk; in deterministic mode it is the
/// first of the library's own order that splits no sum, timed or not.</summary>
sealed unsafe class Gemm : IDisposable
{
    const string TableName = "gemm-";

    readonly CudaStream _stream;
    readonly FileCache _cache;
    readonly bool _isDeterministic;
    readonly nint _handle;
    readonly DeviceMemory _workspace;
    readonly Dictionary<GemmShape, GemmPlan> _plans = [];
    readonly Dictionary<string, GemmAlgorithm> _kept;
    readonly string _table;

    public Gemm(CudaStream stream, FileCache cache, bool isDeterministic)
    {
        (_stream, _cache, _isDeterministic) = (stream, cache, isDeterministic);
        stream.Context.MakeCurrent();
        nint handle;
        CublasLt.Check(CublasLt.cublasLtCreate(&handle));
        _handle = handle;
        _workspace = new DeviceMemory(stream.Context, Limits.GemmWorkspaceBytes);
        var info = stream.Context.Info;
        var mode = isDeterministic ? "-fixed" : "";
        _table = $"{TableName}{CublasLt.cublasLtGetVersion()}-{info.Capability}-{info.Multiprocessors}{mode}.txt";
        _kept = ReadTable(cache.Read(_table));
    }

    /// <summary>Of the library, as it numbers them.</summary>
    public static long Version => (long)CublasLt.cublasLtGetVersion();

    /// <summary>Queues a product.</summary>
    /// <param name="weights">[n, k] of the shape's type.</param>
    /// <param name="source">[rows, k] of the shape's type.</param>
    /// <param name="target">[rows, n] of the shape's output type.</param>
    public void Multiply(in GemmShape shape, ulong weights, ulong bias, ulong source, ulong target)
    {
        if (!_plans.TryGetValue(shape, out var plan))
            _plans.Add(shape, plan = Plan(shape, weights, bias, source));
        plan.Run(_handle, weights, bias, source, target, _workspace, _stream);
    }

    public void Dispose()
    {
        foreach (var plan in _plans.Values)
            plan.Dispose();
        _workspace.Dispose();
        CublasLt.Check(CublasLt.cublasLtDestroy(_handle));
    }

    /// <summary>Shapes of about as many rows share an algorithm, so that few are timed.</summary>
    GemmPlan Plan(in GemmShape shape, ulong weights, ulong bias, ulong source)
    {
        var plan = new GemmPlan(shape, bias);
        var key = (shape with { Rows = (int)BitOperations.RoundUpToPowerOf2((uint)shape.Rows) }).ToString();
        if (_kept.TryGetValue(key, out var kept) && plan.TryTake(_handle, kept))
            return plan;
        var found = plan.Candidates(_handle, _isDeterministic);
        if (found.Length == 0)
            throw new CudaException($"cuBLASLt has no algorithm for {shape}.");
        plan.Algorithm = found[0].Algorithm;
        if (!_isDeterministic && found.Length > 1)
            Choose(plan, found, shape, weights, bias, source);
        _kept[key] = plan.Algorithm;
        _cache.Write(_table, WriteTable());
        return plan;
    }

    /// <summary>Times each into scratch of its own: the target may be what the product is added to.</summary>
    void Choose(GemmPlan plan, GemmHeuristic[] found, in GemmShape shape, ulong weights, ulong bias, ulong source)
    {
        const int Rounds = 5;
        using var scratch = new DeviceMemory(_stream.Context, (long)shape.Rows * shape.N * shape.Output.Size());
        using var start = new CudaEvent(_stream.Context, timing: true);
        using var end = new CudaEvent(_stream.Context, timing: true);
        _stream.Clear(scratch.Address, scratch.Length);
        var (best, least) = (plan.Algorithm, TimeSpan.MaxValue);
        foreach (var candidate in found)
        {
            plan.Algorithm = candidate.Algorithm;
            plan.Run(_handle, weights, bias, source, scratch.Address, _workspace, _stream);
            start.Record(_stream);
            for (var i = 0; i < Rounds; i++)
                plan.Run(_handle, weights, bias, source, scratch.Address, _workspace, _stream);
            end.Record(_stream);
            end.Synchronize();
            var time = start.Until(end);
            (best, least) = time < least ? (candidate.Algorithm, time) : (best, least);
        }
        plan.Algorithm = best;
    }

    static Dictionary<string, GemmAlgorithm> ReadTable(byte[]? content)
    {
        var table = new Dictionary<string, GemmAlgorithm>();
        foreach (var line in Encoding.UTF8.GetString(content ?? []).Split('\n'))
        {
            var bytes = new byte[sizeof(GemmAlgorithm)];
            if (line.Split('\t') is [var shape, var hex] && hex.Length == 2 * bytes.Length
                && Convert.FromHexString(hex, bytes, out _, out _) == System.Buffers.OperationStatus.Done)
            {
                table[shape] = MemoryMarshal.Read<GemmAlgorithm>(bytes);
            }
        }
        return table;
    }

    byte[] WriteTable()
    {
        var text = new StringBuilder();
        foreach (var (shape, algorithm) in _kept.OrderBy(e => e.Key, StringComparer.Ordinal))
            text.Append(shape).Append('\t').Append(Convert.ToHexString(MemoryMarshal.AsBytes([algorithm]))).Append('\n');
        return Encoding.UTF8.GetBytes(text.ToString());
    }
}

/// <summary>cuBLASLt's description of one shape. Its matrices are column-major, ours row-major: y^T = w x^T, so A is w,
/// transposed, and B is x.</summary>
sealed unsafe class GemmPlan : IDisposable
{
    readonly GemmShape _shape;
    readonly nint _product, _a, _b, _d;
    ulong _bias;

    /// <param name="bias">Any address of the kind that will be given: the choice of algorithms depends on there being
    /// one.</param>
    public GemmPlan(GemmShape shape, ulong bias)
    {
        _shape = shape;
        var (type, output) = (TypeOf(shape.Type), TypeOf(shape.Output));
        nint product, a, b, d;
        CublasLt.Check(CublasLt.cublasLtMatmulDescCreate(&product, Lt.ComputeF32, Lt.F32));
        _product = product;
        Set(Lt.TransposeA, Lt.Transposed);
        Set(Lt.TransposeB, Lt.NotTransposed);
        Set(Lt.Epilogue, shape.Bias ? Lt.EpilogueBias : Lt.EpilogueDefault);
        if (shape.Bias)
        {
            Set(Lt.BiasType, output);
            SetBias(bias);
        }
        CublasLt.Check(CublasLt.cublasLtMatrixLayoutCreate(&a, type, (ulong)shape.K, (ulong)shape.N, shape.K));
        CublasLt.Check(CublasLt.cublasLtMatrixLayoutCreate(&b, type, (ulong)shape.K, (ulong)shape.Rows, shape.K));
        CublasLt.Check(CublasLt.cublasLtMatrixLayoutCreate(&d, output, (ulong)shape.N, (ulong)shape.Rows, shape.N));
        (_a, _b, _d) = (a, b, d);
    }

    public GemmAlgorithm Algorithm { get; set; }

    /// <summary>Takes an algorithm of an earlier start, if this library accepts it.</summary>
    public bool TryTake(nint handle, GemmAlgorithm algorithm)
    {
        GemmHeuristic result = default;
        var status = CublasLt.cublasLtMatmulAlgoCheck(handle, _product, _a, _b, _d, _d, &algorithm, &result);
        if (status != 0 || result.State != 0 || (long)result.WorkspaceBytes > Limits.GemmWorkspaceBytes)
            return false;
        Algorithm = algorithm;
        return true;
    }

    /// <summary>The library's proposals, its favourite first.</summary>
    public GemmHeuristic[] Candidates(nint handle, bool isDeterministic)
    {
        nint preference;
        CublasLt.Check(CublasLt.cublasLtMatmulPreferenceCreate(&preference));
        var (workspace, reductions, count) = ((ulong)Limits.GemmWorkspaceBytes, 0u, 0);
        CublasLt.Check(CublasLt.cublasLtMatmulPreferenceSetAttribute(
            preference, Lt.WorkspaceBytesMax, &workspace, sizeof(ulong)));
        if (isDeterministic)
        {
            CublasLt.Check(CublasLt.cublasLtMatmulPreferenceSetAttribute(
                preference, Lt.ReductionSchemes, &reductions, sizeof(uint)));
        }
        var found = new GemmHeuristic[Limits.GemmCandidates];
        fixed (GemmHeuristic* first = found)
        {
            CublasLt.Check(CublasLt.cublasLtMatmulAlgoGetHeuristic(
                handle, _product, _a, _b, _d, _d, preference, found.Length, first, &count));
        }
        CublasLt.Check(CublasLt.cublasLtMatmulPreferenceDestroy(preference));
        return [.. found.Take(count).Where(f => f.State == 0)];
    }

    public void Run(
        nint handle, ulong weights, ulong bias, ulong source, ulong target, DeviceMemory workspace, CudaStream stream)
    {
        if (_shape.Bias && bias != _bias)
            SetBias(bias);
        var (alpha, beta, algorithm) = (1f, _shape.Accumulate ? 1f : 0f, Algorithm);
        CublasLt.Check(CublasLt.cublasLtMatmul(handle, _product, &alpha, weights, _a, source, _b, &beta, target, _d, target, _d,
            &algorithm, workspace.Address, (nuint)workspace.Length, stream.Handle));
    }

    public void Dispose()
    {
        foreach (var layout in (ReadOnlySpan<nint>)[_a, _b, _d])
            CublasLt.Check(CublasLt.cublasLtMatrixLayoutDestroy(layout));
        CublasLt.Check(CublasLt.cublasLtMatmulDescDestroy(_product));
    }

    static int TypeOf(DType type) => type switch
    {
        DType.F32 => Lt.F32,
        DType.F16 => Lt.F16,
        DType.BF16 => Lt.BF16,
        _ => throw new CudaException($"cuBLASLt is given no {type} here; it takes F32, F16 and BF16."),
    };

    void Set(int attribute, int value) =>
        CublasLt.Check(CublasLt.cublasLtMatmulDescSetAttribute(_product, attribute, &value, sizeof(int)));

    void SetBias(ulong bias)
    {
        CublasLt.Check(CublasLt.cublasLtMatmulDescSetAttribute(_product, Lt.BiasPointer, &bias, sizeof(ulong)));
        _bias = bias;
    }
}
