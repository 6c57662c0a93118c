using System.Numerics;

namespace Hearth.Cuda;

/// <summary>Scratch on a card that grows to the largest that was asked for. Its content does not survive growth.</summary>
sealed class GrowingMemory(CudaStream stream) : IDisposable
{
    DeviceMemory? _memory;

    /// <summary>How often it moved: recorded graphs that use it are of no more use then.</summary>
    public int Moves { get; private set; }

    public ulong Reserve(long bytes)
    {
        if (_memory is null || _memory.Length < bytes)
        {
            // Queued work may still use it.
            stream.Synchronize();
            _memory?.Dispose();
            _memory = new DeviceMemory(stream.Context, (long)BitOperations.RoundUpToPowerOf2((ulong)bytes));
            Moves++;
        }
        return _memory.Address;
    }

    public void Dispose() => _memory?.Dispose();
}
