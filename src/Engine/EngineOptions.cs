using Hearth.Engine.Devices;

namespace Hearth.Engine;

/// <summary>How much of the machine an engine may use.</summary>
public sealed record EngineOptions
{
    /// <summary>What computes.</summary>
    public DeviceSpec Device { get; init; } = DeviceSpec.Cpu;

    /// <summary>Bytes of each card that may be used; empty for what is free.</summary>
    public IReadOnlyList<long> MaxMemoryBytes { get; init; } = [];

    /// <summary>On a card: a reply does not depend on what else is in the batch (on the processor it never does).</summary>
    public bool Deterministic { get; init; }

    /// <summary>Lines for who waits for the start.</summary>
    public Action<string> Progress { get; init; } = _ => { };

    /// <summary>Threads of the model's kernels; 0 takes every processor.</summary>
    public int Threads { get; init; }

    /// <summary>Bytes of KV blocks on the device; 0 takes what the weights leave of a card.</summary>
    public long KvMemoryBytes { get; init; } = 1L << 30;

    /// <summary>Bytes of spilled caches in host memory; 0 turns the tier off.</summary>
    public long HostMemoryBytes { get; init; } = 1L << 30;

    /// <summary>How the caches of requests that do not say are kept.</summary>
    public CachePolicy Cache { get; init; } = new();

    /// <summary>Tokens of one step: its time, and so what a long prompt adds to the others' time between tokens.</summary>
    public int MaxBatchTokens { get; init; } = 512;

    public int MaxSequences { get; init; } = 64;

    /// <summary>Accepted requests that wait for blocks; more are refused.</summary>
    public int MaxQueue { get; init; } = 256;

    /// <exception cref="ArgumentException">Names the option at fault and its bounds.</exception>
    public void Validate()
    {
        Check(Threads is >= 0 and <= Limits.ThreadsMax, nameof(Threads), $"0 (all processors) to {Limits.ThreadsMax}");
        Cache.Validate();
        Check(KvMemoryBytes > 0 || KvMemoryBytes == 0 && Device.IsCuda, nameof(KvMemoryBytes), "greater than 0");
        var sizes = MaxMemoryBytes.Count;
        Check(sizes == 0 || sizes == Device.Cards.Count, nameof(MaxMemoryBytes), "one size for each card");
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
