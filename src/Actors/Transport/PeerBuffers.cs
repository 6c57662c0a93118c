using System.Buffers;
using System.Numerics;

namespace Hearth.Actors.Transport;

/// <summary>The memory of received messages: bounded, and used again. The runtime's shared pool serves the small ones; large ones
/// stay here, for it would keep too many of them.</summary>
sealed class PeerBuffers
{
    const int SharedBytesMax = 64 << 10;

    readonly Lock _gate = new();
    readonly Stack<byte[]>?[] _kept = new Stack<byte[]>?[32];
    long _keptBytes;
    long _lentBytes;

    /// <summary>Bytes of messages that are not disposed of.</summary>
    public long LentBytes => Interlocked.Read(ref _lentBytes);

    /// <summary>Null when the process holds too much already.</summary>
    public PeerBuffer? TryRent(int length)
    {
        if (Interlocked.Add(ref _lentBytes, length) > Limits.PeerReceivedBytesMax)
        {
            Interlocked.Add(ref _lentBytes, -length);
            return null;
        }
        return new PeerBuffer(this, length <= SharedBytesMax ? ArrayPool<byte>.Shared.Rent(length) : RentLarge(length), length);
    }

    public void Return(byte[] array, int length)
    {
        Interlocked.Add(ref _lentBytes, -length);
        if (length <= SharedBytesMax)
        {
            ArrayPool<byte>.Shared.Return(array);
            return;
        }
        lock (_gate)
        {
            if (_keptBytes + array.Length > Limits.PeerBuffersKeptBytes)
                return;
            _keptBytes += array.Length;
            (_kept[BitOperations.Log2((uint)array.Length)] ??= new()).Push(array);
        }
    }

    byte[] RentLarge(int length)
    {
        var size = BitOperations.RoundUpToPowerOf2((uint)length);
        lock (_gate)
        {
            if (_kept[BitOperations.Log2(size)] is { } stack && stack.TryPop(out var array))
            {
                _keptBytes -= array.Length;
                return array;
            }
        }
        return GC.AllocateUninitializedArray<byte>((int)size);
    }
}

/// <summary>One received message. Returned once, however often it is disposed of.</summary>
sealed class PeerBuffer(PeerBuffers owner, byte[] array, int length) : IDisposable
{
    byte[]? _array = array;

    public int Length => length;
    public Memory<byte> Memory => _array.AsMemory(0, length);

    /// <summary>What its frames took of the call's credit.</summary>
    public int Cost { get; set; }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _array, null) is { } returned)
            owner.Return(returned, length);
    }
}
