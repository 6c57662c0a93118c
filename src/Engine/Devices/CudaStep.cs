using System.Numerics;
using System.Runtime.InteropServices;
using Hearth.Cuda;
using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>Sequences of a step as the attention kernels take them: those with one new row, and tiles of those with
/// more.</summary>
/// <param name="Spans">Address of i32 x 4 per sequence: first row, rows, start, table offset.</param>
/// <param name="Members">i32: the spans with one row.</param>
/// <param name="LengthMax">Most positions of one of the members, its new one included.</param>
/// <param name="Tiles">i32 x 2: span, first row of the tile in it.</param>
readonly record struct CudaSpans(ulong Spans, ulong Members, int MemberCount, int LengthMax, ulong Tiles, int TileCount);

/// <summary>A step's numbers on the card: written to pinned memory, then sent in one copy. Where each lies follows from the
/// numbers of rows and sequences alone, so a recorded graph finds the next step's in the same place.</summary>
/// <param name="tileRows">Rows of a tile of prompts.</param>
sealed class CudaStep(CudaContext context, int tileRows) : IDisposable
{
    PinnedMemory? _host;
    DeviceMemory? _card;
    readonly CudaEvent _sent = new(context);
    int _written;

    /// <summary>Grows when the numbers move to another place: recorded graphs are of no more use.</summary>
    public int Place { get; private set; }

    public int Rows { get; private set; }
    public ulong Tokens { get; private set; }
    public ulong Positions { get; private set; }

    /// <summary>i32 [rows]: block * BlockTokens + place in the block.</summary>
    public ulong Slots { get; private set; }

    /// <summary>i32: the rows that <see cref="KeepWanted"/> keeps.</summary>
    public ulong WantedRows { get; private set; }

    public int WantedCount { get; private set; }
    public ulong Cosines { get; private set; }
    public ulong Sines { get; private set; }

    /// <summary>Dimensions / 2 that turn.</summary>
    public int Half { get; private set; }

    public CudaSpans Spans { get; private set; }

    /// <summary>i32: the sequences' block tables, one after the other.</summary>
    public ulong Tables { get; private set; }

    public bool IsDecode { get; private set; }

    int TileRows => tileRows;

    CudaSpans _wanted;

    public void Begin(Batch batch, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines, CudaStream stream)
    {
        (Rows, WantedCount, Half) = (batch.Rows, batch.LogitRows, batch.Rows == 0 ? 0 : cosines.Length / batch.Rows);
        var tableEntries = 0;
        foreach (ref readonly var sequence in batch.Sequences)
            tableEntries += BlocksOf(sequence);
        Reserve((8 * batch.Rows + 16 * batch.Count + tableEntries + cosines.Length + sines.Length + 64) * sizeof(int));
        // The card may still read the step before.
        _sent.Synchronize();
        _written = 0;
        Tokens = Write(batch.Tokens);
        FillRows(batch);
        FillSpans(batch);
        Cosines = Write(cosines);
        Sines = Write(sines);
        FillTables(batch, tableEntries);
        stream.Upload(_card!.Address, _host!, 0, _written);
        _sent.Record(stream);
    }

    /// <summary>From here on only the rows whose logits are wanted.</summary>
    public void KeepWanted() => (Rows, Spans) = (WantedCount, _wanted);

    public void Dispose()
    {
        _sent.Dispose();
        _host?.Dispose();
        _card?.Dispose();
    }

    void FillRows(Batch batch)
    {
        Positions = Take<int>(batch.Rows, out var positions);
        Slots = Take<int>(batch.Rows, out var slots);
        WantedRows = Take<int>(batch.LogitRows, out var wanted);
        IsDecode = batch.LogitRows == batch.Rows;
        for (var i = 0; i < batch.Count; i++)
        {
            var sequence = batch.Sequences[i];
            IsDecode &= sequence.Rows == 1;
            for (var row = 0; row < sequence.Rows; row++)
            {
                var position = sequence.Start + row;
                var (entry, place) = Math.DivRem(position, KvLayout.BlockTokens);
                positions[sequence.FirstRow + row] = position;
                slots[sequence.FirstRow + row] = sequence.Blocks.Span[entry] * KvLayout.BlockTokens + place;
            }
            for (var row = 0; row < sequence.LogitCount; row++)
                wanted[sequence.LogitRow + row] = sequence.FirstRow + sequence.Rows - sequence.LogitCount + row;
        }
    }

    void FillSpans(Batch batch)
    {
        var all = new SpanWriter(this, batch.Rows, batch.Count);
        var wanted = new SpanWriter(this, batch.LogitRows, batch.Count);
        var table = 0;
        foreach (ref readonly var s in batch.Sequences)
        {
            all.Add(s.FirstRow, s.Rows, s.Start, table);
            wanted.Add(s.LogitRow, s.LogitCount, s.Start + s.Rows - s.LogitCount, table);
            table += BlocksOf(s);
        }
        (Spans, _wanted) = (all.Result, wanted.Result);
    }

    void FillTables(Batch batch, int entries)
    {
        Tables = Take<int>(entries, out var tables);
        foreach (ref readonly var sequence in batch.Sequences)
        {
            var blocks = BlocksOf(sequence);
            sequence.Blocks.Span[..blocks].CopyTo(tables);
            tables = tables[blocks..];
        }
    }

    static int BlocksOf(in BatchSequence sequence) =>
        (sequence.Start + sequence.Rows + KvLayout.BlockTokens - 1) / KvLayout.BlockTokens;

    ulong Write<T>(ReadOnlySpan<T> values) where T : unmanaged
    {
        var address = Take<T>(values.Length, out var memory);
        values.CopyTo(memory);
        return address;
    }

    /// <summary>The next part, on 16 bytes.</summary>
    ulong Take<T>(int count, out Span<T> memory) where T : unmanaged
    {
        memory = _host!.Span<T>(_written, count);
        var address = _card!.Address + (ulong)_written;
        _written += (count * Marshal.SizeOf<T>() + 15) & ~15;
        return address;
    }

    void Reserve(int bytes)
    {
        bytes += 12 * 16;
        if (_host is not null && _host.Length >= bytes)
            return;
        _host?.Dispose();
        _card?.Dispose();
        var size = (long)BitOperations.RoundUpToPowerOf2((uint)Math.Max(bytes, Limits.CudaStepBytesMin));
        (_host, _card) = (new PinnedMemory(context, size), new DeviceMemory(context, size));
        Place++;
    }

    ref struct SpanWriter
    {
        readonly Span<int> _spans, _members, _tiles;
        readonly int _tileRows;
        readonly ulong _spansAt, _membersAt, _tilesAt;
        int _count, _memberCount, _tileCount, _lengthMax;

        public SpanWriter(CudaStep step, int rows, int sequences)
        {
            _tileRows = step.TileRows;
            _spansAt = step.Take(4 * sequences, out _spans);
            _membersAt = step.Take(sequences, out _members);
            _tilesAt = step.Take(2 * (rows / _tileRows + sequences), out _tiles);
        }

        public readonly CudaSpans Result => new(_spansAt, _membersAt, _memberCount, _lengthMax, _tilesAt, _tileCount);

        public void Add(int firstRow, int rows, int start, int table)
        {
            if (rows == 0)
                return;
            ((ReadOnlySpan<int>)[firstRow, rows, start, table]).CopyTo(_spans[(4 * _count)..]);
            if (rows == 1)
            {
                _members[_memberCount++] = _count;
                _lengthMax = Math.Max(_lengthMax, start + 1);
            }
            for (var row = 0; rows > 1 && row < rows; row += _tileRows)
                ((ReadOnlySpan<int>)[_count, row]).CopyTo(_tiles[(2 * _tileCount++)..]);
            _count++;
        }
    }
}
