using Hearth.Kernels;

namespace Hearth.Engine.Checkpoints;

/// <summary>A mapped file that holds tensors.</summary>
interface ITensorFile : IDisposable
{
    string Path { get; }

    long Length { get; }

    TensorMemory Data(TensorEntry tensor);

    /// <summary>A part of the file as it lies there.</summary>
    ReadOnlySpan<byte> Bytes(long offset, int count);
}
