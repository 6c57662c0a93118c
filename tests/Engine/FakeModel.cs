using System.Runtime.InteropServices;
using Hearth.Engine.Devices;
using Hearth.Engine.Memory;

namespace Hearth.Engine.Tests;

/// <summary>Blocks whose content can be checked: position p holds a hash of the tokens 0..p.</summary>
sealed class FakeKv(int blocks, int blockTokens = 8) : IKvBlocks
{
    public const ulong Poison = 0xDEAD_DEAD_DEAD_DEAD;

    readonly ulong[] _content = new ulong[blocks * blockTokens];

    public int Count => blocks;
    public int BlockTokens => blockTokens;
    public int TokenBytes => sizeof(ulong);
    public int Int8TokenBytes => 1;

    public void Quantize(int tokens, ReadOnlySpan<byte> exact, Span<byte> int8)
    {
        for (var i = 0; i < tokens; i++)
        {
            int8[i] = exact[i * sizeof(ulong)];
        }
    }

    public void Dequantize(int tokens, ReadOnlySpan<byte> int8, Span<byte> exact)
    {
        exact.Clear();
        for (var i = 0; i < tokens; i++)
        {
            exact[i * sizeof(ulong)] = int8[i];
        }
    }

    public ref ulong At(ReadOnlySpan<int> table, int position) =>
        ref _content[(table[position / blockTokens] * blockTokens) + (position % blockTokens)];

    public void CopyPrefix(int from, int to, int tokens) => Block(from)[..tokens].CopyTo(Block(to));

    public void Export(int block, int tokens, Span<byte> bytes) => MemoryMarshal.AsBytes(Block(block)[..tokens]).CopyTo(bytes);

    public Action? OnImport { get; set; }

    public void Import(int block, int tokens, ReadOnlySpan<byte> bytes)
    {
        OnImport?.Invoke();
        bytes.CopyTo(MemoryMarshal.AsBytes(Block(block)[..tokens]));
    }

    public void Fill(int block, ulong value) => Block(block).Fill(value);

    public static ulong Next(ulong before, int token)
    {
        var z = (before ^ (uint)token) + 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    Span<ulong> Block(int block) => _content.AsSpan(block * blockTokens, blockTokens);
}

/// <summary>A model whose logits are a function of all keys and values it reads: a wrong, stale or foreign block changes
/// the reply.
/// Before each step it poisons the blocks that nobody holds and checks the accounts.</summary>
/// <param name="window">Positions that a token sees; 0 for all.</param>
sealed class FakeRunner(FakeKv kv, int context = 4096, int window = 0) : IModelRunner
{
    public const int Vocabulary = 211;

    volatile Exception? _failure;

    public int VocabularySize => Vocabulary;
    public int ContextLength => context;
    public KvMemory? Memory { get; set; }

    /// <summary>A closed gate holds the engine before its next step.</summary>
    public ManualResetEventSlim Gate { get; } = new(true);
    public int Steps { get; private set; }
    public int RowsMax { get; private set; }
    public int SequencesMax { get; private set; }
    public long BytesAllocated { get; private set; }
    public bool MeasuresAllocation { get; set; }

    /// <summary>Gives rows of NaN.</summary>
    public bool Spoils { get; set; }

    public StepHook Hook { get; } = new();

    public Exception? Failure { set => _failure = value; }

    long _allocatedBefore;

    public void Run(Batch batch, Span<float> logits)
    {
        if (MeasuresAllocation)
        {
            BytesAllocated = GC.GetAllocatedBytesForCurrentThread() - _allocatedBefore;
        }

        Gate.Wait();
        Steps++;
        Hook.Step();
        RowsMax = Math.Max(RowsMax, batch.Rows);
        SequencesMax = Math.Max(SequencesMax, batch.Count);
        if (Interlocked.Exchange(ref _failure, null) is { } failure)
        {
            throw failure;
        }

        if (!MeasuresAllocation)
        {
            PoisonFree();
        }

        foreach (var sequence in batch.Sequences)
        {
            Compute(batch, sequence, logits);
        }

        if (MeasuresAllocation && _allocatedBefore == 0)
        {
            _allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
        }
    }

    public void Dispose() => Gate.Dispose();

    void PoisonFree()
    {
        using var gate = Memory!.Gate.EnterScope();
        Memory.CheckIntegrity();
        for (var block = 0; block < kv.Count; block++)
        {
            if (Memory.Pool.References(block) == 0 && !Memory.Pool.IsFindable(block))
            {
                kv.Fill(block, FakeKv.Poison);
            }
        }
    }

    void Compute(Batch batch, BatchSequence sequence, Span<float> logits)
    {
        var table = sequence.Blocks.Span;
        var end = sequence.Start + sequence.Rows;
        for (var position = sequence.Start; position < end; position++)
        {
            var before = position == 0 || window > 0 ? 0 : kv.At(table, position - 1);
            kv.At(table, position) = FakeKv.Next(before, batch.Tokens[sequence.FirstRow + position - sequence.Start]);
        }

        if (sequence.LogitCount == 0)
        {
            return;
        }

        var all = 0UL;
        for (var position = window == 0 ? 0 : Math.Max(0, end - window); position < end; position++)
        {
            all = FakeKv.Next(all, (int)kv.At(table, position));
        }

        var row = logits.Slice(sequence.LogitRow * Vocabulary, Vocabulary);
        if (Spoils)
        {
            row.Fill(float.NaN);
            return;
        }

        for (var token = 0; token < Vocabulary; token++)
        {
            row[token] = (FakeKv.Next(all, token) >> 40) * (8f / (1 << 24));
        }
    }
}
