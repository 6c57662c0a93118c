namespace Hearth.Silo;

/// <summary>Settings of a silo that is alone on its machine.</summary>
public sealed record SiloOptions
{
    /// <summary>The silo's name in headers, logs and metrics.</summary>
    public string Name { get; init; } = "local";

    public required ModelSettings Model { get; init; }

    /// <summary>Where transcripts, the directory and spilled caches are kept.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>How long a conversation is kept after its last turn; null for ever.</summary>
    public TimeSpan? Retention { get; init; }

    /// <summary>Most bytes of caches on disk; the oldest go first.</summary>
    public long SpillBytesMax { get; init; } = 16L << 30;
}
