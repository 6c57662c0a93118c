namespace Hearth.Kernels;

/// <summary>One sequence's part of a batch: which rows are its new tokens, where they stand, and where its block table
/// begins.</summary>
/// <param name="FirstRow">First of its rows in the batch's activations.</param>
/// <param name="Rows">Its new tokens: a prefill chunk, or 1 in decode.</param>
/// <param name="Start">Position of the first new token; positions below it are in the cache already.</param>
/// <param name="TableOffset">Where its block table begins in the batch's tables: entry i holds positions 32 i to 32 i + 31.
/// Entries that no visible position needs (before the window) may be -1.</param>
public readonly record struct KvSpan(int FirstRow, int Rows, int Start, int TableOffset)
{
    /// <summary>Keys of an attention that sees all of them (<see cref="AttentionSpec.All"/>), whatever Start is.</summary>
    public int Keys { get; init; }

    internal int End => Start + Rows;
}
