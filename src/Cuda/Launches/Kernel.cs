using Hearth.Kernels;

namespace Hearth.Cuda;

/// <summary>The kernels' entry points. A name with a type is completed by <see cref="Of"/>: <c>gemv_bf16</c>.</summary>
static class KernelNames
{
    public const string Embed = "embed", RmsNorm = "rms_norm", LayerNorm = "layer_norm", Narrow = "narrow", Gemv = "gemv",
        Rope = "rope", KvWrite = "kv_write", AttendDecode = "attend_decode", AttendMerge = "attend_merge",
        AttendPrefill = "attend_prefill", Activate = "activate", GatherRows = "gather_rows", Argmax = "argmax",
        KvExport = "kv_export", KvImport = "kv_import";

    public static string Of(string name, DType type) => $"{name}_{type.ToString().ToLowerInvariant()}";
}
