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
            return OnProcessor(model, options.Threads, BlocksFor(model.KvLayout, options.KvMemoryBytes), rows);
        var cuda = new CudaOptions { Deterministic = options.Deterministic, Progress = options.Progress };
        return OnCards(model, device.Cards, options.MaxMemoryBytes, options.KvMemoryBytes, rows, cuda);
    }

    /// <exception cref="InsufficientMemoryException">The KV memory cannot be reserved.</exception>
    public static Placement OnProcessor(LoadedModel model, int threads, int blocks, int rowsMax)
    {
        var pool = new KvPool(model.KvLayout, blocks);
        var context = new KernelContext(threads);
        return new(model.CreateRunner(context, pool, rowsMax), new KvPoolBlocks(pool), [context, pool]);
    }

    /// <summary>The layers in so many parts, each with a pool of its own: how a model is laid out over cards, to be seen without
    /// one.</summary>
    public static Placement OnProcessorInParts(LoadedModel model, int[] layers, int threads, int blocks, int rowsMax)
    {
        var context = new KernelContext(threads);
        var pools = layers.Select(count => new KvPool(LayoutOf(model, count), blocks)).ToArray();
        var devices = pools.Select(pool => (IDevice)new CpuDevice(context, pool, rowsMax));
        var blocksOfAll = new SplitKvBlocks([.. pools.Select(pool => new KvPoolBlocks(pool))]);
        return new(model.CreateRunner(new SplitDevice(Parts(devices, layers))), blocksOfAll, [context, .. pools]);
    }

    /// <param name="budgets">Bytes that each card may be used for; empty: what is free.</param>
    /// <param name="kvBytes">Of KV blocks on all cards together; 0 takes what the weights leave.</param>
    /// <exception cref="CudaException">A card, a library or memory is missing; or the model needs what cards cannot do
    /// yet.</exception>
    /// <exception cref="ArgumentException">The model does not fit the budgets.</exception>
    public static Placement OnCards(
        LoadedModel model, IReadOnlyList<int> ordinals, IReadOnlyList<long> budgets, long kvBytes, int rowsMax,
        CudaOptions options)
    {
        CheckSupported(model.KvLayout);
        var owned = new Stack<IDisposable>();
        try
        {
            var cards = ordinals.Select(n => Push(new CudaCard(n, options.CacheFolder, options.Progress))).ToArray();
            var room = cards.Select((card, i) => RoomOn(card, budgets.Count > 0 ? budgets[i] : long.MaxValue)).ToArray();
            var layers = LayerSplit.Assign(model.KvLayout.Layers, model.WeightBytes, room);
            var blocks = cards.Select((_, i) => BlocksOn(model, layers[i], room[i], kvBytes)).Min();
            var pools = cards.Select((card, i) => Push(new CudaKvPool(card, LayoutOf(model, layers[i]), blocks))).ToArray();
            var parts = pools.Select(pool => Push(new CudaKvBlocks(pool))).ToArray();
            // Activations that leave a card in mid-step cannot be recorded.
            options = options with { Graphs = options.Graphs && cards.Length == 1 };
            var devices = pools.Select(pool => (IDevice)new CudaDevice(pool, rowsMax, options)).ToArray();
            return cards.Length == 1
                ? new(model.CreateRunner(devices[0]), parts[0], [.. owned])
                : new(model.CreateRunner(new SplitDevice(Parts(devices, layers))), new SplitKvBlocks([.. parts]), [.. owned]);
        }
        catch
        {
            foreach (var item in owned)
                item.Dispose();
            throw;
        }

        T Push<T>(T item) where T : IDisposable
        {
            owned.Push(item);
            return item;
        }
    }

    /// <exception cref="ArgumentException">Not one block fits.</exception>
    public static int BlocksFor(KvLayout layout, long bytes)
    {
        var blocks = (int)Math.Min(bytes / layout.BlockBytes, Limits.BlocksMax);
        return blocks > 0 ? blocks : throw new ArgumentException(
            $"Engine option {nameof(EngineOptions.KvMemoryBytes)} must hold one block: {layout.BlockBytes} bytes.");
    }

    public void Dispose()
    {
        Runner.Dispose();
        Array.ForEach(Owned, item => item.Dispose());
    }

    static void CheckSupported(KvLayout layout)
    {
        if (layout.HeadDim > CudaOperations.HeadDimMax)
        {
            throw new CudaException($"This model's heads have {layout.HeadDim} numbers; cards compute with up to " +
                $"{CudaOperations.HeadDimMax} yet. Use --device cpu.");
        }
        if (layout.ValueDim != layout.HeadDim)
        {
            throw new CudaException($"This model's values are {layout.ValueDim} wide and its keys {layout.HeadDim} (latent " +
                "attention): cards do not compute that yet. Use --device cpu.");
        }
        if (layout.Type is not (DType.F32 or DType.F16 or DType.BF16))
        {
            throw new CudaException(
                $"Cards keep caches in f32, f16 and bf16, not yet in {layout.Type}: choose another --kv-type.");
        }
    }

    static DevicePart[] Parts(IEnumerable<IDevice> devices, int[] layers)
    {
        var first = 0;
        return [.. devices.Select((device, i) => new DevicePart(device, (first += layers[i]) - layers[i]))];
    }

    static KvLayout LayoutOf(LoadedModel model, int layers) =>
        new(layers, model.KvLayout.KvHeads, model.KvLayout.HeadDim, model.KvLayout.Type, model.KvLayout.ValueDim);

    /// <summary>For weights and KV blocks.</summary>
    static long RoomOn(CudaCard card, long budget)
    {
        var free = card.Context.FreeBytes;
        var room = Math.Min((long)(free * CardShare), budget) - CardReserveBytes;
        return room > 0 ? room : throw new CudaException($"{card.Context.Info.Name} has {free >> 20} MiB free" +
            (budget < long.MaxValue ? $", of which {budget >> 20} MiB may be used" : "") +
            $"; {CardReserveBytes >> 20} MiB go to activations and libraries. Use a card with more, or end what else uses it.");
    }

    static int BlocksOn(LoadedModel model, int layers, long room, long kvBytes)
    {
        var (layout, all) = (LayoutOf(model, layers), model.KvLayout.Layers);
        var weights = model.WeightBytes / all * layers;
        if (kvBytes > 0)
            return BlocksFor(layout, kvBytes / all * layers);
        return room - weights >= layout.BlockBytes ? BlocksFor(layout, room - weights) : throw new CudaException(
            $"The weights take {weights >> 20} MiB and leave no room for caches in {room >> 20} MiB. Use a card with more " +
            "memory, or several (--device cuda:0,cuda:1).");
    }
}
