namespace Hearth.Engine;

/// <summary>One step's work: the new tokens of all its sequences, row after row. Filled anew each step.</summary>
sealed class Batch(int rowsMax, int sequencesMax)
{
    readonly int[] _tokens = new int[rowsMax];
    readonly int[] _best = new int[rowsMax];
    readonly BatchSequence[] _sequences = new BatchSequence[sequencesMax];

    public int RowsMax => rowsMax;
    public int SequencesMax => sequencesMax;
    public int Rows { get; private set; }

    /// <summary>Rows of the logits that the step gives: the sequences' wanted rows in order.</summary>
    public int LogitRows { get; private set; }

    /// <summary>Not the logits are wanted but the most probable ids: they come to <see cref="Best"/>.</summary>
    public bool WantsBest { get; set; }

    /// <summary>One for each row of logits, -1 where no score is a finite number.</summary>
    public Span<int> Best => _best.AsSpan(0, LogitRows);

    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Rows);
    public ReadOnlySpan<BatchSequence> Sequences => _sequences.AsSpan(0, Count);
    public int Count { get; private set; }

    public void Clear() => (Rows, LogitRows, Count, WantsBest) = (0, 0, 0, false);

    /// <param name="tokens">The new tokens; their keys and values are written at positions start, start + 1, …</param>
    /// <param name="start">Tokens of the sequence that are in its blocks already.</param>
    /// <param name="blocks">The sequence's block table: block i holds positions [i * BlockTokens, (i + 1) * BlockTokens);
    /// long enough for start + tokens.Length.</param>
    /// <param name="length">Tokens of the sequence that are known by now, the prompt's later chunks included: what ropes that
    /// depend on the length count. 0 for those up to here.</param>
    /// <param name="cross">Where the keys and values of its encoder's output lie; empty if it has none.</param>
    public void Add(
        ReadOnlySpan<int> tokens, int start, ReadOnlyMemory<int> blocks, LogitsWanted logits, int length = 0,
        CrossBlocks cross = default)
    {
        var wanted = logits switch { LogitsWanted.None => 0, LogitsWanted.Last => 1, _ => tokens.Length };
        length = Math.Max(length, start + tokens.Length);
        tokens.CopyTo(_tokens.AsSpan(Rows));
        _sequences[Count++] = new BatchSequence(Rows, tokens.Length, start, blocks, LogitRows, wanted, length, cross);
        Rows += tokens.Length;
        LogitRows += wanted;
    }
}

/// <param name="Start">Position of the first new token.</param>
/// <param name="Length">Of the sequence, as far as it is known.</param>
/// <param name="LogitRow">First of its <paramref name="LogitCount"/> rows (the last ones of the sequence) in the logits.</param>
readonly record struct BatchSequence(
    int FirstRow,
    int Rows,
    int Start,
    ReadOnlyMemory<int> Blocks,
    int LogitRow,
    int LogitCount,
    int Length,
    CrossBlocks Cross = default);

/// <param name="Length">Positions of the encoder's output.</param>
readonly record struct CrossBlocks(ReadOnlyMemory<int> Blocks, int Length);

enum LogitsWanted
{
    None,
    Last,
    All,
}
