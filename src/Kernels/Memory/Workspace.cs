namespace Hearth.Kernels;

/// <summary>Scratch that grows to the largest need seen and is then reused; an operation owns all of it while it runs.</summary>
sealed unsafe class Workspace : IDisposable
{
    NativeBuffer _buffer = new(0);

    /// <summary>At least that many bytes, 64-byte aligned, holding whatever the last operation left.</summary>
    public byte* Reserve(long bytes)
    {
        if (bytes > _buffer.Length)
        {
            _buffer.Dispose();
            _buffer = new NativeBuffer((long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)bytes));
        }
        return _buffer.Address;
    }

    public void Dispose() => _buffer.Dispose();
}
