using Hearth.Engine.Devices;
using Hearth.Engine.Models;
using Hearth.Kernels;

namespace Hearth.Silo;

/// <summary>Which model a silo serves, and how much of the machine it may use.</summary>
public sealed record ModelSettings
{
    /// <summary>Directory of the checkpoint, or a GGUF file.</summary>
    public required string Directory { get; init; }

    /// <summary>The name that clients ask for; the directory's or file's name if null.</summary>
    public string? Name { get; init; }

    /// <summary>cpu, or cuda:N.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Bytes of each card that may be used, in the device's order; empty for what is free.</summary>
    public IReadOnlyList<long> MaxMemoryBytes { get; init; } = [];

    /// <summary>On a card: a reply does not depend on what else is computed with it.</summary>
    public bool Deterministic { get; init; }

    /// <summary>0 takes one per processor.</summary>
    public int Threads { get; init; }

    /// <summary>Bytes of the caches in use; 0 takes what the weights leave of a card.</summary>
    public long KvMemoryBytes { get; init; } = Math.Min(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4, 4L << 30);

    /// <summary>Bytes of caches set aside in memory.</summary>
    public long HostMemoryBytes { get; init; } = Math.Min(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 8, 4L << 30);

    /// <summary>How keys and values are kept: f32, f16 or bf16.</summary>
    public string KvType { get; init; } = "f16";

    /// <summary>Rounds weights on load: q8 or q4; null keeps them as they are stored.</summary>
    public string? Quantize { get; init; }

    /// <summary>How caches are kept where a request does not say: dynamic, static, sliding, offloaded or none.</summary>
    public string Cache { get; init; } = "dynamic";

    /// <summary>Shortens the model's context.</summary>
    public int? ContextLength { get; init; }

    /// <summary>Tokens of one step, prompts and replies together.</summary>
    public int MaxBatchTokens { get; init; } = 512;

    /// <summary>Turns that wait for a place in the model's batch; one more is refused at once.</summary>
    public int MaxQueue { get; init; } = 256;

    /// <summary>Looks whether the device is there and can be used.</summary>
    /// <exception cref="SiloException">It is not; the message says what to do.</exception>
    public void RequireDevice() => SiloException.Guard(() =>
    {
        DeviceSpec.Require();
        return true;
    });

    /// <summary>Whether a card computes.</summary>
    public bool IsCuda => Device != "cpu";

    internal DeviceSpec DeviceSpec => DeviceSpec.Parse(Device) ?? throw new ArgumentException(
        $"--device: '{Device}' is none; use cpu, cuda:N, or several cards as in cuda:0,cuda:1.");

    internal DType KvDType => KvType switch
    {
        "f32" => DType.F32,
        "f16" => DType.F16,
        "bf16" => DType.BF16,
        _ => throw new ArgumentException($"'{KvType}' is no type of keys and values; use f32, f16 or bf16."),
    };

    internal DType? QuantizeDType => Quantize switch
    {
        null or "" => null,
        "q8" => DType.Q8,
        "q4" => DType.Q4,
        _ => throw new ArgumentException($"'{Quantize}' is no format to round weights to; use q8 or q4."),
    };

    internal string ServedName => Name ?? LoadedModel.NameOf(Directory);
}
