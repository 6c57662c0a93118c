namespace Hearth.Kernels;

/// <summary>Every bound of the project.</summary>
static class Limits
{
    public const int ThreadsMax = 256;

    /// <summary>Columns of a matrix: a packed row of f32 stays far below what an int counts.</summary>
    public const int ColumnsMax = 1 << 24;

    /// <summary>Rows of activations multiplied at once: what is packed of them stays in the last-level cache.</summary>
    public const int ActivationRowsMax = 512;

    public const int HeadDimMax = 1024;
    public const int KvHeadsMax = 1024;
    public const int LayersMax = 4096;

    /// <summary>Alignment of native memory, one cache line and one 512-bit vector.</summary>
    public const int Alignment = 64;

    /// <summary>From here on native memory comes from the operating system, lazily zeroed and in huge pages where it has
    /// them.</summary>
    public const long MappedBytesMin = 2L << 20;

    /// <summary>Pauses that an idle worker spins before it yields: about 40 microseconds.</summary>
    public const int SpinsBeforeYield = 1_000;

    /// <summary>Yields before an idle worker parks.</summary>
    public const int YieldsBeforePark = 50;
}
