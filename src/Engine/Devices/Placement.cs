using Hearth.Cuda;
using Hearth.Engine.Memory;
using Hearth.Engine.Models;
using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>A model on what computes it, ready to run.</summary>
/// <param name="Owned">Disposed of after the runner, in this order.</param>
sealed record Placement(IModelRunner Runner, IKvBlocks Blocks, IDisposable[] Owned) : IDisposable
{
    /// <summary>Part of a card's free memory that weights and KV blocks may take together.</summary>
    const double CardShare = 0.92;

    /// <summary>Of a card, for activations, scratch, graphs and what libraries take.</summary>
    const long CardReserveBytes = 768L << 20;

    public static Placement On(EngineOptions options, LoadedModel model)
    {
        var (device, rows) = (options.Device, options.MaxBatchTokens);
        if (!device.IsCuda)
            return OnProcessor(model, options.Threads, BlocksFor(model, options.KvMemoryBytes), rows);
        var cuda = new CudaOptions { Deterministic = options.Deterministic, Progress = options.Progress };
        return OnCard(model, device.Cards[0], options.KvMemoryBytes, rows, cuda);
    }

    /// <exception cref="InsufficientMemoryException">The KV memory cannot be reserved.</exception>
    public static Placement OnProcessor(LoadedModel model, int threads, int blocks, int rowsMax)
    {
        var pool = new KvPool(model.KvLayout, blocks);
        var context = new KernelContext(threads);
        return new(model.CreateRunner(context, pool, rowsMax), new KvPoolBlocks(pool), [context, pool]);
    }

    /// <param name="kvBytes">Of KV blocks; 0 takes what the weights leave of the card.</param>
    /// <exception cref="CudaException">The card, a library or memory is missing; or the model needs what cards cannot do
    /// yet.</exception>
    public static Placement OnCard(LoadedModel model, int card, long kvBytes, int rowsMax, CudaOptions options)
    {
        var used = new Stack<IDisposable>();
        try
        {
            var owner = Push(new CudaCard(card, options.CacheFolder, options.Progress));
            var blocks = BlocksFor(model, kvBytes > 0 ? kvBytes : FreeFor(owner, model));
            var pool = Push(new CudaKvPool(owner, model.KvLayout, blocks));
            var parts = Push(new CudaKvBlocks(pool));
            var runner = model.CreateRunner(new CudaDevice(pool, rowsMax, options));
            return new(runner, parts, [.. used]);
        }
        catch
        {
            foreach (var item in used)
                item.Dispose();
            throw;
        }

        T Push<T>(T item) where T : IDisposable
        {
            used.Push(item);
            return item;
        }
    }

    /// <exception cref="ArgumentException">Not one block fits.</exception>
    public static int BlocksFor(LoadedModel model, long bytes)
    {
        var blocks = (int)Math.Min(bytes / model.KvLayout.BlockBytes, Limits.BlocksMax);
        return blocks > 0 ? blocks : throw new ArgumentException(
            $"Engine option {nameof(EngineOptions.KvMemoryBytes)} must hold one block: {model.KvLayout.BlockBytes} bytes.");
    }

    public void Dispose()
    {
        Runner.Dispose();
        Array.ForEach(Owned, item => item.Dispose());
    }

    static long FreeFor(CudaCard card, LoadedModel model)
    {
        var free = (long)(card.Context.FreeBytes * CardShare) - model.WeightBytes - CardReserveBytes;
        return free > 0 ? free : throw new CudaException(
            $"{card.Context.Info.Name} has {card.Context.FreeBytes >> 20} MiB free; the weights take {model.WeightBytes >> 20} MiB, and " +
            $"{CardReserveBytes >> 20} MiB must stay. Use a card with more memory, or several (--device cuda:0,cuda:1).");
    }
}
