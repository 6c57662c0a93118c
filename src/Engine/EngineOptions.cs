namespace Hearth.Engine;

/// <summary>How much of the machine an engine may use.</summary>
public sealed record EngineOptions
{
    /// <summary>Threads of the model's kernels; 0 takes every processor.</summary>
    public int Threads { get; init; }

    /// <summary>Bytes of KV blocks on the device.</summary>
    public long KvMemoryBytes { get; init; } = 1L << 30;

    /// <summary>Bytes of spilled caches in host memory; 0 turns the tier off.</summary>
    public long HostMemoryBytes { get; init; } = 1L << 30;

    /// <summary>Tokens of one step: its time, and so what a long prompt adds to the others' time between tokens.</summary>
    public int MaxBatchTokens { get; init; } = 512;

    public int MaxSequences { get; init; } = 64;

    /// <summary>Accepted requests that wait for blocks; more are refused.</summary>
    public int MaxQueue { get; init; } = 256;

    /// <exception cref="ArgumentException">Names the option at fault and its bounds.</exception>
    public void Validate()
    {
        Check(Threads is >= 0 and <= Limits.ThreadsMax, nameof(Threads), $"0 (all processors) to {Limits.ThreadsMax}");
        Check(KvMemoryBytes > 0, nameof(KvMemoryBytes), "greater than 0");
        Check(HostMemoryBytes >= 0, nameof(HostMemoryBytes), "0 (off) or greater");
        Check(MaxSequences is >= 1 and <= Limits.SequencesMax, nameof(MaxSequences), $"1 to {Limits.SequencesMax}");
        Check(MaxQueue is >= 1 and <= Limits.QueueMax, nameof(MaxQueue), $"1 to {Limits.QueueMax}");
        Check(
            MaxBatchTokens >= MaxSequences + Limits.PrefillTokensMin && MaxBatchTokens <= Limits.BatchTokensMax,
            nameof(MaxBatchTokens),
            $"{nameof(MaxSequences)} + {Limits.PrefillTokensMin} (prompts go on beside decoding) to {Limits.BatchTokensMax}");
    }

    static void Check(bool condition, string name, string bounds)
    {
        if (!condition)
        {
            throw new ArgumentException($"Engine option {name} must be {bounds}.", name);
        }
    }
}
