using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>A step's rows as the kernels take them. Its arrays grow to the largest step seen and are then reused.</summary>
sealed class CpuStep
{
    readonly int[] _tokens;
    readonly int[] _positions;
    readonly int[] _rowNumbers;
    readonly int[] _wanted;
    KvSpan[] _sequences = [];
    int[] _tables = [];
    float[] _cosines = [];
    float[] _sines = [];
    float[] _scratch = [];
    int _angles, _sequenceCount, _tableEntries, _wantedCount;

    public CpuStep(int rowsMax)
    {
        (_tokens, _positions, _wanted) = (new int[rowsMax], new int[rowsMax], new int[rowsMax]);
        _rowNumbers = [.. Enumerable.Range(0, rowsMax)];
    }

    public int Rows { get; private set; }
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Rows);
    public ReadOnlySpan<int> Positions => _positions.AsSpan(0, Rows);
    public ReadOnlySpan<int> RowNumbers => _rowNumbers.AsSpan(0, Rows);
    public ReadOnlySpan<float> Cosines => _cosines.AsSpan(0, _angles);
    public ReadOnlySpan<float> Sines => _sines.AsSpan(0, _angles);
    public ReadOnlySpan<KvSpan> Sequences => _sequences.AsSpan(0, _sequenceCount);
    public ReadOnlySpan<int> Tables => _tables.AsSpan(0, _tableEntries);

    public void Begin(Batch batch, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines)
    {
        (Rows, _angles, _sequenceCount, _tableEntries, _wantedCount) = (batch.Rows, cosines.Length, 0, 0, 0);
        batch.Tokens.CopyTo(_tokens);
        cosines.CopyTo(AtLeast(ref _cosines, _angles));
        sines.CopyTo(AtLeast(ref _sines, _angles));
        AtLeast(ref _sequences, batch.Count);
        foreach (ref readonly var sequence in batch.Sequences)
            Add(sequence);
    }

    public Span<float> Scratch(int width) => AtLeast(ref _scratch, Rows * width).AsSpan(0, Rows * width);

    /// <summary>The rows whose logits are wanted, side by side.</summary>
    public Span<float> Gather(ReadOnlySpan<float> source, int width)
    {
        var target = AtLeast(ref _scratch, _wantedCount * width).AsSpan(0, _wantedCount * width);
        for (var i = 0; i < _wantedCount; i++)
            source.Slice(_wanted[i] * width, width).CopyTo(target[(i * width)..]);
        return target;
    }

    void Add(in BatchSequence sequence)
    {
        var blocks = (sequence.Start + sequence.Rows + KvLayout.BlockTokens - 1) / KvLayout.BlockTokens;
        _sequences[_sequenceCount++] = new(sequence.FirstRow, sequence.Rows, sequence.Start, _tableEntries);
        sequence.Blocks.Span[..blocks].CopyTo(AtLeast(ref _tables, _tableEntries + blocks).AsSpan(_tableEntries));
        _tableEntries += blocks;
        for (var i = 0; i < sequence.Rows; i++)
            _positions[sequence.FirstRow + i] = sequence.Start + i;
        for (var i = sequence.Rows - sequence.LogitCount; i < sequence.Rows; i++)
            _wanted[_wantedCount++] = sequence.FirstRow + i;
    }

    static T[] AtLeast<T>(ref T[] array, int length)
    {
        if (array.Length < length)
            Array.Resize(ref array, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)length));
        return array;
    }
}
