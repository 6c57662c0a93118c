namespace Hearth.Silo;

/// <summary>A worker's settings.</summary>
public sealed record SiloOptions
{
    /// <summary>The silo's name in headers, logs and metrics.</summary>
    public string Name { get; init; } = "local";

    /// <summary>Directory of the checkpoint.</summary>
    public required string ModelDirectory { get; init; }

    /// <summary>The name that clients ask for; the directory's name if null.</summary>
    public string? ModelName { get; init; }

    /// <summary>Where transcripts, the directory and spilled caches are kept.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>0 takes one per processor.</summary>
    public int Threads { get; init; }

    /// <summary>Bytes of the caches in use.</summary>
    public long KvMemoryBytes { get; init; } = Math.Min(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4, 4L << 30);

    /// <summary>Bytes of caches set aside in memory.</summary>
    public long HostMemoryBytes { get; init; } = Math.Min(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 8, 4L << 30);

    /// <summary>Most bytes of caches on disk; the oldest go first.</summary>
    public long SpillBytesMax { get; init; } = 16L << 30;

    /// <summary>How keys and values are kept: f32, f16 or bf16.</summary>
    public string KvType { get; init; } = "f16";

    /// <summary>Shortens the model's context.</summary>
    public int? ContextLength { get; init; }

    /// <summary>Tokens of one step, prompts and replies together.</summary>
    public int MaxBatchTokens { get; init; } = 512;

    internal Kernels.DType KvDType => KvType switch
    {
        "f32" => Kernels.DType.F32,
        "f16" => Kernels.DType.F16,
        "bf16" => Kernels.DType.BF16,
        _ => throw new ArgumentException($"'{KvType}' is no type of keys and values; use f32, f16 or bf16."),
    };

    internal string ServedName => ModelName
        ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(ModelDirectory)));
}
