using System.Numerics;

namespace Hearth.Engine.Memory;

/// <summary>The memory of exported parts, which is used again: each new large array would cost its pages, and soon a
/// collection of everything. Thread-safe.</summary>
sealed class BlobBuffers
{
    readonly Lock _gate = new();
    readonly Stack<byte[]>?[] _kept = new Stack<byte[]>?[32];
    long _keptBytes;

    /// <summary>Memory of any content; whoever never gives it back leaves it to the collector.</summary>
    public BlobBuffer Rent(int length)
    {
        if (length < Limits.BlobBufferBytesMin)
        {
            return new BlobBuffer(null, GC.AllocateUninitializedArray<byte>(length), length);
        }

        var size = BitOperations.RoundUpToPowerOf2((uint)length);
        lock (_gate)
        {
            if (_kept[BitOperations.Log2(size)] is { } stack && stack.TryPop(out var array))
            {
                _keptBytes -= array.Length;
                return new BlobBuffer(this, array, length);
            }
        }

        // Beyond a GiB the power of two would not fit an array.
        return new BlobBuffer(this, GC.AllocateUninitializedArray<byte>((int)Math.Min(size, (uint)Array.MaxLength)), length);
    }

    public void Return(byte[] array)
    {
        lock (_gate)
        {
            if (_keptBytes + array.Length > Limits.BlobBuffersKeptBytes)
            {
                return;
            }

            _keptBytes += array.Length;
            (_kept[BitOperations.Log2((uint)array.Length)] ??= new()).Push(array);
        }
    }
}

/// <summary>One part's memory. Returned once, however often it is disposed of.</summary>
sealed class BlobBuffer(BlobBuffers? owner, byte[] array, int length) : IDisposable
{
    byte[]? _array = array;

    /// <summary>Empty once it was given back.</summary>
    public Memory<byte> Memory => _array is { } bytes ? bytes.AsMemory(0, length) : default;

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _array, null) is { } returned)
        {
            owner?.Return(returned);
        }
    }
}
