using Hearth.Cuda;
using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>Activations on a card: f32, and beside it what the tensor cores take, made when it is asked for. What a norm gives is
/// written in the narrow form alone when many rows go on to a product.</summary>
sealed class CudaBuffers(CudaCard card, CudaOperations operations, int rowsMax) : IDisposable
{
    readonly DeviceArena _arena = new(card.Context);
    readonly List<Entry> _entries = [];

    public long Bytes => _arena.Bytes;

    /// <summary>Of the step.</summary>
    public int Rows { get; set; }

    public BufferId Allocate(int width)
    {
        _entries.Add(new Entry(_arena.Take((long)rowsMax * width * sizeof(float)), width));
        return new(_entries.Count - 1, width);
    }

    /// <summary>To be read, or read and written, as f32.</summary>
    public ulong Wide(BufferId buffer)
    {
        var entry = _entries[buffer.Index];
        if (entry.NarrowType is { } type && !entry.IsWide)
            operations.Widen(type, entry.Narrow, entry.Wide, (long)Rows * entry.Width);
        return Written(buffer);
    }

    /// <summary>To be overwritten as f32.</summary>
    public ulong Written(BufferId buffer)
    {
        var entry = _entries[buffer.Index];
        (entry.IsWide, entry.NarrowType) = (true, null);
        return entry.Wide;
    }

    /// <summary>To be read as f32 only.</summary>
    public ulong Read(BufferId buffer)
    {
        var entry = _entries[buffer.Index];
        if (!entry.IsWide && entry.NarrowType is { } type)
        {
            operations.Widen(type, entry.Narrow, entry.Wide, (long)Rows * entry.Width);
            entry.IsWide = true;
        }
        return entry.Wide;
    }

    /// <summary>To be read in the narrow form.</summary>
    public ulong Narrow(BufferId buffer, DType type)
    {
        var entry = _entries[buffer.Index];
        if (entry.NarrowType != type)
        {
            var wide = Read(buffer);
            operations.Narrow(type, wide, NarrowMemory(entry), (long)Rows * entry.Width);
            entry.NarrowType = type;
        }
        return entry.Narrow;
    }

    /// <summary>To be overwritten in the narrow form.</summary>
    public ulong WrittenNarrow(BufferId buffer, DType type)
    {
        var entry = _entries[buffer.Index];
        var memory = NarrowMemory(entry);
        (entry.IsWide, entry.NarrowType) = (false, type);
        return memory;
    }

    public void Dispose() => _arena.Dispose();

    ulong NarrowMemory(Entry entry) =>
        entry.Narrow != 0 ? entry.Narrow : entry.Narrow = _arena.Take((long)rowsMax * entry.Width * sizeof(ushort));

    sealed class Entry(ulong wide, int width)
    {
        public ulong Wide => wide;
        public int Width => width;
        public ulong Narrow { get; set; }
        public bool IsWide { get; set; } = true;
        public DType? NarrowType { get; set; }
    }
}
