using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>A step's rows as the kernels take them. Its arrays grow to the largest step seen and are then reused.</summary>
sealed class CpuStep
{
    readonly int[] _tokens;
    readonly int[] _positions;
    readonly int[] _rowNumbers;
    KvSpan[] _sequences = [];
    KvSpan[] _cross = [];
    int[] _wanted = [];
    int[] _tables = [];
    int[] _crossTables = [];
    float[] _cosines = [];
    float[] _sines = [];
    float[] _scratch = [];
    int _angles, _sequenceCount, _tableEntries, _crossEntries;

    public CpuStep(int rowsMax)
    {
        (_tokens, _positions) = (new int[rowsMax], new int[rowsMax]);
        _rowNumbers = [.. Enumerable.Range(0, rowsMax)];
    }

    public int Rows { get; private set; }
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Rows);
    public ReadOnlySpan<int> Positions => _positions.AsSpan(0, Rows);
    public ReadOnlySpan<int> RowNumbers => _rowNumbers.AsSpan(0, Rows);
    public ReadOnlySpan<float> Cosines => _cosines.AsSpan(0, _angles);
    public ReadOnlySpan<float> Sines => _sines.AsSpan(0, _angles);
    public ReadOnlySpan<KvSpan> Sequences => _sequences.AsSpan(0, _sequenceCount);

    /// <summary>The same rows, with the keys of their encoders' output.</summary>
    public ReadOnlySpan<KvSpan> CrossSequences => _cross.AsSpan(0, _sequenceCount);
    public ReadOnlySpan<int> CrossTables => _crossTables.AsSpan(0, _crossEntries);
    public ReadOnlySpan<int> Tables => _tables.AsSpan(0, _tableEntries);

    public void Begin(Batch batch, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines)
    {
        (Rows, _angles, _sequenceCount, _tableEntries, _crossEntries) = (batch.Rows, cosines.Length, 0, 0, 0);
        batch.Tokens.CopyTo(_tokens);
        cosines.CopyTo(AtLeast(ref _cosines, _angles));
        sines.CopyTo(AtLeast(ref _sines, _angles));
        AtLeast(ref _sequences, batch.Count);
        AtLeast(ref _cross, batch.Count);
        AtLeast(ref _wanted, batch.Count);
        foreach (ref readonly var sequence in batch.Sequences)
            Add(sequence);
    }

    public Span<float> Scratch(int width) => AtLeast(ref _scratch, Rows * width).AsSpan(0, Rows * width);

    /// <summary>Moves the rows whose logits are wanted to the front.</summary>
    public void MoveWantedUp(Span<float> rows, int width)
    {
        var to = 0;
        for (var i = 0; i < _sequenceCount; i++)
        {
            var (sequence, count) = (_sequences[i], _wanted[i]);
            rows.Slice((sequence.FirstRow + sequence.Rows - count) * width, count * width).CopyTo(rows[to..]);
            to += count * width;
        }
    }

    /// <summary>Makes the rows that <see cref="MoveWantedUp"/> brought to the front the step's only ones.</summary>
    public void KeepWanted()
    {
        var sequences = _sequenceCount;
        (Rows, _sequenceCount) = (0, 0);
        for (var i = 0; i < sequences; i++)
        {
            var (sequence, count) = (_sequences[i], _wanted[i]);
            if (count == 0)
                continue;
            var start = sequence.Start + sequence.Rows - count;
            _sequences[_sequenceCount] = sequence with { FirstRow = Rows, Rows = count, Start = start };
            _cross[_sequenceCount] = _cross[i] with { FirstRow = Rows, Rows = count, Start = start };
            _wanted[_sequenceCount++] = count;
            Rows += count;
        }
    }

    void Add(in BatchSequence sequence)
    {
        var length = sequence.Start + sequence.Rows;
        var blocks = (length + KvLayout.BlockTokens - 1) / KvLayout.BlockTokens;
        _wanted[_sequenceCount] = sequence.LogitCount;
        var across = sequence.Cross;
        _cross[_sequenceCount] = new(sequence.FirstRow, sequence.Rows, sequence.Start, _crossEntries) { Keys = across.Length };
        _sequences[_sequenceCount++] = new(sequence.FirstRow, sequence.Rows, sequence.Start, _tableEntries) { Keys = length };
        sequence.Blocks.Span[..blocks].CopyTo(AtLeast(ref _tables, _tableEntries + blocks).AsSpan(_tableEntries));
        _tableEntries += blocks;
        var crossBlocks = (across.Length + KvLayout.BlockTokens - 1) / KvLayout.BlockTokens;
        across.Blocks.Span[..crossBlocks].CopyTo(AtLeast(ref _crossTables, _crossEntries + crossBlocks).AsSpan(_crossEntries));
        _crossEntries += crossBlocks;
        for (var i = 0; i < sequence.Rows; i++)
            _positions[sequence.FirstRow + i] = sequence.Start + i;
    }

    static T[] AtLeast<T>(ref T[] array, int length)
    {
        if (array.Length < length)
            Array.Resize(ref array, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)length));
        return array;
    }
}
