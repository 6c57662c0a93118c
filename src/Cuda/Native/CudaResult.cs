using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Hearth.Cuda.Native;

/// <summary>CUresult: the values that are told apart.</summary>
enum CudaResult
{
    Success = 0,
    InvalidValue = 1,
    OutOfMemory = 2,
    NotInitialized = 3,
    Deinitialized = 4,
    StubLibrary = 34,
    NoDevice = 100,
    InvalidDevice = 101,
    NotFound = 500,
    NotReady = 600,
    SystemNotReady = 802,
    SystemDriverMismatch = 803,
    CompatNotSupportedOnDevice = 804,
    Unknown = 999,
}

static unsafe class CudaResults
{
    /// <summary>The first fault after which the context is of no more use: every later call would only repeat it.</summary>
    static string? _fault;

    /// <exception cref="CudaException">The call failed; the message names it.</exception>
    public static void Check(this CudaResult result, [CallerArgumentExpression(nameof(result))] string call = "")
    {
        if (result != CudaResult.Success)
            throw Failed(result, call);
    }

    static CudaException Failed(CudaResult result, string call)
    {
        var name = call[(call.IndexOf('.', StringComparison.Ordinal) + 1)..].Split('(')[0];
        var text = $"{name} failed: {Text(result)}.";
        if (result == CudaResult.OutOfMemory)
            text += " The card has not that much free memory: lower --kv-memory or --max-batch-tokens, or end what else uses it.";
        if (!IsSticky((int)result))
            return new CudaException(text);
        var first = Interlocked.CompareExchange(ref _fault, text, null) ?? text;
        var message = first == text
            ? $"{text} The fault was made by this call or by a kernel before it (CUDA_LAUNCH_BLOCKING=1 tells). The card's " +
                "context is lost."
            : $"{text} The card's context was lost before: {first}";
        return new CudaException(message) { IsFatal = true };
    }

    /// <summary>Illegal accesses, timeouts, asserts, hardware and launch failures, and errors of memory.</summary>
    static bool IsSticky(int result) => result is 214 or 220 or 226 or 700 or 702 or 710 or (>= 714 and <= 719);

    static string Text(CudaResult result)
    {
        byte* name, description;
        return Driver.cuGetErrorName(result, &name) == CudaResult.Success && name != null
            && Driver.cuGetErrorString(result, &description) == CudaResult.Success
            ? $"{Marshal.PtrToStringUTF8((nint)name)} ({(int)result}), {Marshal.PtrToStringUTF8((nint)description)}"
            : $"error {(int)result}";
    }
}
