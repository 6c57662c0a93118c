using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Hearth.Cuda.Native;

/// <summary>The runtime compiler. It needs no card.</summary>
static unsafe partial class Nvrtc
{
    const string Lib = NativeLibraries.Nvrtc;

    [LibraryImport(Lib)] public static partial int nvrtcVersion(int* major, int* minor);
    [LibraryImport(Lib)] public static partial byte* nvrtcGetErrorString(int result);
    [LibraryImport(Lib)] public static partial int nvrtcGetNumSupportedArchs(int* count);
    [LibraryImport(Lib)] public static partial int nvrtcGetSupportedArchs(int* architectures);

    [LibraryImport(Lib)]
    public static partial int nvrtcCreateProgram(
        nint* program, byte* source, byte* name, int headers, byte** contents, byte** includeNames);

    [LibraryImport(Lib)] public static partial int nvrtcCompileProgram(nint program, int options, byte** texts);
    [LibraryImport(Lib)] public static partial int nvrtcGetProgramLogSize(nint program, nuint* bytes);
    [LibraryImport(Lib)] public static partial int nvrtcGetProgramLog(nint program, byte* log);
    [LibraryImport(Lib)] public static partial int nvrtcGetCUBINSize(nint program, nuint* bytes);
    [LibraryImport(Lib)] public static partial int nvrtcGetCUBIN(nint program, byte* image);
    [LibraryImport(Lib)] public static partial int nvrtcGetPTXSize(nint program, nuint* bytes);
    [LibraryImport(Lib)] public static partial int nvrtcGetPTX(nint program, byte* image);
    [LibraryImport(Lib)] public static partial int nvrtcDestroyProgram(nint* program);

    public static void Check(int result, [CallerArgumentExpression(nameof(result))] string call = "")
    {
        if (result == 0)
            return;
        var text = Marshal.PtrToStringUTF8((nint)nvrtcGetErrorString(result));
        throw new CudaException($"{call.Split('(')[0]} failed: {text} ({result})." +
            (result == 7 ? $" {NativeLibraries.Advice(Lib)}" : ""));
    }
}
