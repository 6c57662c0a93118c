using Hearth.Contracts;
using Hearth.Engine.Devices;
using Hearth.Engine.Models;
using Hearth.Kernels;

namespace Hearth.Engine.Bench;

/// <summary>A checkpoint, its runner and a KV pool, driven step by step as the engine loop does.</summary>
sealed class ModelRig : IDisposable
{
    const int RowsMax = 512, SequencesMax = 16, TokensMax = 8192;

    readonly LoadedModel _model;
    readonly KvPool _pool;
    readonly IModelRunner _runner;
    readonly MappedFile _file;
    readonly Batch _batch = new(RowsMax, SequencesMax);
    readonly int[] _tokens;
    readonly float[] _logits;

    public ModelRig(string directory, DType kvType)
    {
        _model = LoadedModel.Load(directory, new ModelOptions { KvType = kvType });
        Context = new KernelContext();
        _pool = new KvPool(_model.KvLayout, TokensMax / KvLayout.BlockTokens);
        _runner = _model.CreateRunner(Context, _pool, RowsMax);
        _file = MappedFile.Open(Path.Combine(directory, "model.safetensors"));
        var random = new Random(1);
        _tokens = [.. Enumerable.Range(0, RowsMax).Select(_ => random.Next(_runner.VocabularySize))];
        _logits = new float[SequencesMax * _runner.VocabularySize];
        var blocks = Enumerable.Range(0, _pool.Blocks).ToArray();
        random.Shuffle(blocks);
        Blocks = blocks;
    }

    public KernelContext Context { get; }
    public ModelCard Card => _model.Card;
    public KvLayout Layout => _pool.Layout;
    int[] Blocks { get; }

    /// <summary>The bytes that one decode step reads: all weights.</summary>
    public TensorMemory Weights => _file.Slice(0, _file.Length);

    /// <summary>Multiply-adds of one token through all layers, twice; the head and attention are left out.</summary>
    public double FlopsPerToken => 2.0 * (Card.Parameters - EmbeddingParameters);

    double EmbeddingParameters => _model.Tensors
        .Where(t => t.Name.Contains("embed_tokens", StringComparison.Ordinal) || t.Name.StartsWith("lm_head", StringComparison.Ordinal))
        .Sum(t => t.Bytes / 2.0);

    /// <summary>One step of so many sequences, each with so many new tokens after so many cached ones.</summary>
    public void Step(int sequences, int rows, int start)
    {
        var blocksEach = Blocks.Length / sequences;
        _batch.Clear();
        for (var i = 0; i < sequences; i++)
        {
            _batch.Add(_tokens.AsSpan(i, rows > RowsMax - i ? RowsMax - i : rows), start,
                Blocks.AsMemory(i * blocksEach, blocksEach), LogitsWanted.Last);
        }
        _runner.Run(_batch, _logits);
    }

    /// <summary>Fills the cache of one sequence with so many tokens.</summary>
    public void Fill(int tokens)
    {
        for (var start = 0; start < tokens; start += RowsMax)
        {
            Step(1, Math.Min(RowsMax, tokens - start), start);
        }
    }

    public void Dispose()
    {
        _runner.Dispose();
        _pool.Dispose();
        Context.Dispose();
        _model.Dispose();
        _file.Dispose();
    }
}
