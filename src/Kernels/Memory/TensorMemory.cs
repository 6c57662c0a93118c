namespace Hearth.Kernels;

/// <summary>
/// A range of bytes outside the collector's heap, in a <see cref="NativeBuffer"/> or a <see cref="MappedFile"/>, at any
/// alignment. It keeps its owner reachable, not open: whoever disposes of the owner must have stopped every operation on it.
/// </summary>
public readonly unsafe struct TensorMemory
{
    readonly byte* _address;

    internal TensorMemory(object owner, byte* address, long length)
    {
        Owner = owner;
        _address = address;
        Length = length;
    }

    /// <summary>Size in bytes.</summary>
    public long Length { get; }

    internal object? Owner { get; }

    internal byte* Address => _address;

    /// <summary>The bytes; throws when they are more than a span can count (2 GiB): slice first.</summary>
    public ReadOnlySpan<byte> Bytes => new(_address, checked((int)Length));

    public TensorMemory Slice(long offset, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, Length - offset);
        return new TensorMemory(Owner!, _address + offset, bytes);
    }
}
