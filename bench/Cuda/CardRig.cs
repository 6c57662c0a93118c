using Hearth.Engine;
using Hearth.Engine.Devices;
using Hearth.Engine.Models;
using Hearth.Kernels;

namespace Hearth.Cuda.Bench;

/// <summary>A checkpoint on a card, driven step by step as the engine loop does.</summary>
sealed class CardRig : IDisposable
{
    readonly LoadedModel _model;
    readonly Placement _placement;
    readonly Batch _batch;
    readonly int[] _tokens;
    readonly float[] _logits;

    public CardRig(string directory, DType kvType, int ordinal, int blocks, int rowsMax, int sequences, CudaOptions options)
    {
        _model = LoadedModel.Load(directory, new ModelOptions { KvType = kvType });
        _placement = Placement.OnCards(_model, [ordinal], [], blocks * _model.KvLayout.BlockBytes, rowsMax, options);
        _batch = new Batch(rowsMax, sequences);
        var random = new Random(1);
        _tokens = [.. Enumerable.Range(0, rowsMax).Select(_ => random.Next(_placement.Runner.VocabularySize))];
        _logits = new float[sequences * _placement.Runner.VocabularySize];
        Blocks = [.. Enumerable.Range(0, _placement.Blocks.Count)];
        random.Shuffle(Blocks);
    }

    public LoadedModel Model => _model;
    public Engine.Memory.IKvBlocks Kv => _placement.Blocks;
    public int[] Blocks { get; }

    /// <summary>One step of so many sequences, each with so many new tokens after so many cached ones.</summary>
    public void Step(int sequences, int rows, int start)
    {
        var each = Blocks.Length / sequences;
        _batch.Clear();
        for (var i = 0; i < sequences; i++)
            _batch.Add(_tokens.AsSpan(sequences == 1 ? 0 : i, rows), start, Blocks.AsMemory(i * each, each), LogitsWanted.Last);
        _placement.Runner.Run(_batch, _logits);
    }

    /// <summary>Logits of a whole prompt, position by position.</summary>
    public float[] Prompt(int[] tokens)
    {
        _batch.Clear();
        _batch.Add(tokens, 0, Blocks, LogitsWanted.All);
        var logits = new float[tokens.Length * _placement.Runner.VocabularySize];
        _placement.Runner.Run(_batch, logits);
        return logits;
    }

    public float[] Next(int token, int position)
    {
        _batch.Clear();
        _batch.Add([token], position, Blocks, LogitsWanted.Last);
        _placement.Runner.Run(_batch, _logits);
        return _logits[.._placement.Runner.VocabularySize];
    }

    public void Dispose()
    {
        _placement.Dispose();
        _model.Dispose();
    }
}
