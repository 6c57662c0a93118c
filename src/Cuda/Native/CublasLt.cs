using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Hearth.Cuda.Native;

/// <summary>cuBLASLt's matrix product and what describes one.</summary>
static unsafe partial class CublasLt
{
    const string Lib = NativeLibraries.CublasLt;

    [LibraryImport(Lib)] public static partial int cublasLtCreate(nint* handle);
    [LibraryImport(Lib)] public static partial int cublasLtDestroy(nint handle);
    [LibraryImport(Lib)] public static partial nuint cublasLtGetVersion();
    [LibraryImport(Lib)] public static partial byte* cublasLtGetStatusString(int status);
    [LibraryImport(Lib)] public static partial int cublasLtMatmulDescCreate(nint* desc, int compute, int scaleType);
    [LibraryImport(Lib)] public static partial int cublasLtMatmulDescDestroy(nint desc);
    [LibraryImport(Lib)] public static partial int cublasLtMatmulDescSetAttribute(nint desc, int name, void* value, nuint bytes);

    [LibraryImport(Lib)]
    public static partial int cublasLtMatrixLayoutCreate(nint* layout, int type, ulong rows, ulong columns, long leading);

    [LibraryImport(Lib)] public static partial int cublasLtMatrixLayoutDestroy(nint layout);
    [LibraryImport(Lib)] public static partial int cublasLtMatmulPreferenceCreate(nint* preference);
    [LibraryImport(Lib)] public static partial int cublasLtMatmulPreferenceDestroy(nint preference);

    [LibraryImport(Lib)]
    public static partial int cublasLtMatmulPreferenceSetAttribute(nint preference, int name, void* value, nuint bytes);

    [LibraryImport(Lib)]
    public static partial int cublasLtMatmulAlgoGetHeuristic(
        nint handle, nint desc, nint a, nint b, nint c, nint d, nint preference, int wanted, GemmHeuristic* found, int* count);

    [LibraryImport(Lib)]
    public static partial int cublasLtMatmulAlgoCheck(
        nint handle, nint desc, nint a, nint b, nint c, nint d, GemmAlgorithm* algorithm, GemmHeuristic* result);

    [LibraryImport(Lib)]
    public static partial int cublasLtMatmul(
        nint handle, nint desc, void* alpha, ulong a, nint aLayout, ulong b, nint bLayout, void* beta, ulong c, nint cLayout,
        ulong d, nint dLayout, GemmAlgorithm* algorithm, ulong workspace, nuint workspaceBytes, nint stream);

    public static void Check(int status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status != 0)
        {
            var text = Marshal.PtrToStringUTF8((nint)cublasLtGetStatusString(status));
            throw new CudaException($"{call.Split('(')[0]} failed: {text} ({status}).");
        }
    }
}

/// <summary>cublasLtMatmulAlgo_t: may be kept for the same library, card and problem.</summary>
[StructLayout(LayoutKind.Sequential)]
[InlineArray(8)]
struct GemmAlgorithm
{
    ulong _first;
}

/// <summary>cublasLtMatmulHeuristicResult_t.</summary>
[StructLayout(LayoutKind.Explicit, Size = 96)]
struct GemmHeuristic
{
    [FieldOffset(0)] public GemmAlgorithm Algorithm;
    [FieldOffset(64)] public nuint WorkspaceBytes;
    [FieldOffset(72)] public int State;
    [FieldOffset(76)] public float Waves;
}

/// <summary>The numbers of cuBLASLt's enums that are used.</summary>
static class Lt
{
    public const int ComputeF32 = 68;
    public const int F32 = 0, F16 = 2, BF16 = 14;
    public const int TransposeA = 3, TransposeB = 4, Epilogue = 7, BiasPointer = 8, BiasType = 26;
    public const int EpilogueDefault = 1, EpilogueBias = 4;
    public const int WorkspaceBytesMax = 1, ReductionSchemes = 3;
    public const int Transposed = 1, NotTransposed = 0;
}
