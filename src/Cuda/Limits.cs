namespace Hearth.Cuda;

/// <summary>Every bound of the CUDA backend, with its reason.</summary>
static class Limits
{
    /// <summary>The oldest driver whose exports are enough: CUDA 12.0, driver 525.</summary>
    public const int DriverVersionMin = 12_000;

    /// <summary>The oldest compute capability with cp.async and bf16 tensor cores (Ampere), times ten.</summary>
    public const int ComputeCapabilityMin = 80;

    public const int DevicesMax = 64;

    /// <summary>Threads of a kernel's block unless its record says otherwise.</summary>
    public const int ThreadsPerBlock = 128;

    /// <summary>Rows that the matrix-vector kernels take; more go through cuBLASLt.</summary>
    public const int GemvRowsMax = 8;

    /// <summary>Positions of a part of flash-decoding: fixed, so that a sum does not depend on the batch.</summary>
    public const int PartTokens = 256;

    /// <summary>Scratch of cuBLASLt, as it recommends for Hopper.</summary>
    public const long GemmWorkspaceBytes = 32L << 20;

    /// <summary>Algorithms of cuBLASLt that are timed for one shape.</summary>
    public const int GemmCandidates = 16;

    /// <summary>A staging buffer of the upload; there are <see cref="UploadBuffers"/>.</summary>
    public const int UploadBytes = 16 << 20;

    public const int UploadBuffers = 3;

    /// <summary>A compiler's log that is shown.</summary>
    public const int LogCharactersMax = 4096;

    /// <summary>A compiled module on disk, or a table of algorithms: larger is not read.</summary>
    public const int CacheFileBytesMax = 64 << 20;

    /// <summary>What an allocation is rounded up to, so that every buffer serves vector loads.</summary>
    public const int Alignment = 256;
}
