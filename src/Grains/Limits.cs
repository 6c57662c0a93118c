namespace Hearth.Grains;

/// <summary>Every bound of this project.</summary>
public static class Limits
{
    /// <summary>Conversations whose caches are written to the store at the same time.</summary>
    public const int SpillsAtOnce = 2;

    /// <summary>Bytes of a stored turn's events after decompression.</summary>
    public const int TurnRecordBytesMax = 64 << 20;

    /// <summary>Times that a turn looks up its grain again when it was collected in between.</summary>
    public const int ActivationTries = 5;

    /// <summary>Times that a commit of unknown outcome is asked about again.</summary>
    public const int CommitTries = 2;

    /// <summary>After which a refused caller may come again.</summary>
    public static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);
}
