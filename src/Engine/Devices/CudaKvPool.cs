using Hearth.Cuda;
using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>The KV blocks' memory on a card, in the layout that <see cref="KvPool"/> has in the processor's.</summary>
sealed class CudaKvPool : IDisposable
{
    readonly DeviceMemory _memory;

    public CudaKvPool(CudaCard card, KvLayout layout, int blocks)
    {
        (Card, Layout, Blocks) = (card, layout, blocks);
        _memory = new DeviceMemory(card.Context, checked(layout.BlockBytes * blocks));
        Written = new CudaEvent(card.Context);
    }

    public CudaCard Card { get; }
    public KvLayout Layout { get; }
    public int Blocks { get; }
    public ulong Address => _memory.Address;

    /// <summary>Happens when all keys and values whose writing was queued are there.</summary>
    public CudaEvent Written { get; }

    public void Dispose()
    {
        Written.Dispose();
        _memory.Dispose();
    }
}
