using Hearth.Cuda.Native;

namespace Hearth.Cuda;

/// <summary>Memory of a card.</summary>
sealed unsafe class DeviceMemory : IDisposable
{
    readonly CudaContext _context;
    ulong _address;

    /// <exception cref="CudaException">The card has not that much.</exception>
    public DeviceMemory(CudaContext context, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        bytes = (Math.Max(bytes, 1) + Limits.Alignment - 1) & -Limits.Alignment;
        context.MakeCurrent();
        ulong address;
        Driver.cuMemAlloc_v2(&address, (nuint)bytes).Check();
        (_context, _address, Length) = (context, address, bytes);
    }

    public ulong Address => _address;
    public long Length { get; }

    public void Dispose()
    {
        if (_address == 0)
            return;
        _context.MakeCurrent();
        Driver.cuMemFree_v2(_address).Check();
        _address = 0;
    }
}

/// <summary>Parts of a card's memory that live as long as the whole. Addresses never change, as graphs need it.</summary>
sealed class DeviceArena(CudaContext context) : IDisposable
{
    readonly List<DeviceMemory> _pieces = [];

    public long Bytes { get; private set; }

    /// <summary>Memory of any content.</summary>
    public ulong Take(long bytes)
    {
        var piece = new DeviceMemory(context, bytes);
        _pieces.Add(piece);
        Bytes += piece.Length;
        return piece.Address;
    }

    public void Dispose()
    {
        foreach (var piece in _pieces)
            piece.Dispose();
        _pieces.Clear();
    }
}
