using Hearth.Contracts;
using Hearth.Engine.Checkpoints;
using Hearth.Engine.Devices;
using Hearth.Kernels;

namespace Hearth.Engine.Models;

/// <summary>What a checkpoint is loaded for.</summary>
public sealed record ModelOptions
{
    /// <summary>The name that clients ask for; the directory's name if null.</summary>
    public string? Name { get; init; }

    /// <summary>How keys and values are stored. F32 agrees with the reference to 1e-4, F16 costs half of the memory.</summary>
    public DType KvType { get; init; }

    /// <summary>Rounds matrices on load to Q8 or Q4 (embeddings and head to Q8); null keeps them as they are stored.</summary>
    public DType? Quantize { get; init; }

    /// <summary>Shortens the model's context; null keeps it.</summary>
    public int? ContextLength { get; init; }

    /// <summary>Threads that read the weights; 0 for one per processor.</summary>
    public int Threads { get; init; }

    /// <summary>Called from the reading threads, one at a time.</summary>
    public Action<LoadProgress>? Progress { get; init; }

    /// <summary>Looks at headers and shapes only: the model has no fingerprint then, and cannot be served.</summary>
    public bool HeadersOnly { get; init; }
}

/// <param name="Type">As safetensors writes it: BF16.</param>
/// <param name="Shape">As people write it: [256, 64].</param>
public sealed record StoredTensor(string Name, string Type, string Shape, long Bytes);

/// <param name="Matrices">How many.</param>
/// <param name="Bytes">Of all of them, mapped or in memory.</param>
public sealed record ServedFormat(string Format, int Matrices, long Bytes);

/// <summary>A checkpoint, checked and in memory, from which runners are made. Dispose of it after its runners.</summary>
public sealed class LoadedModel : IDisposable
{
    readonly Checkpoint _checkpoint;
    readonly ModelSpec _spec;
    readonly DecoderWeights _weights;

    LoadedModel(Checkpoint checkpoint, ModelSpec spec, DecoderWeights weights, ModelCard card, KvLayout kvLayout)
    {
        (_checkpoint, _spec, _weights) = (checkpoint, spec, weights);
        (Card, KvLayout) = (card, kvLayout);
    }

    public ModelCard Card { get; }

    /// <summary>The shape of the blocks that its runners' KV pool must have.</summary>
    public KvLayout KvLayout { get; }

    /// <summary>Most positions that any layer sees; 0 when some layer sees all.</summary>
    public int Window => _spec.Layers.Any(l => l.Attention.Window == 0) ? 0 : _spec.Layers.Max(l => l.Attention.Window);

    /// <summary>What the checkpoint's files hold, by name.</summary>
    public IReadOnlyList<StoredTensor> Tensors =>
    [
        .. _checkpoint.Tensors.OrderBy(t => t.Name, StringComparer.Ordinal)
            .Select(t => new StoredTensor(t.Name, t.Type.ToString(), t.ShapeText, t.Length)),
    ];

    /// <summary>The matrices as they are served, by format.</summary>
    public IReadOnlyList<ServedFormat> Formats =>
        [.. _weights.Formats.Select(f => new ServedFormat(f.Type.ToString(), f.Count, f.Bytes))];

    /// <summary>Bytes of the matrices as they are served.</summary>
    internal long WeightBytes => _weights.Formats.Sum(f => f.Bytes);

    /// <summary>Refuses a directory that holds no checkpoint, or one of another family, by its config.json alone.</summary>
    /// <exception cref="CheckpointException">It cannot be served; the message says why and what to do.</exception>
    public static void RequireConfig(string directory) => Family.Require(Checkpoint.ReadConfig(directory));

    /// <param name="directory">A Hugging Face checkpoint (config.json and safetensors), or a GGUF file.</param>
    /// <exception cref="CheckpointException">It cannot be served; the message says why and what to do.</exception>
    public static LoadedModel Load(string directory, ModelOptions options, CancellationToken cancellationToken = default)
    {
        directory = Path.GetFullPath(directory);
        var checkpoint = Checkpoint.Open(directory);
        DecoderWeights? weights = null;
        try
        {
            var spec = Family.Describe(checkpoint);
            using var context = new KernelContext(options.Threads);
            weights = new DecoderWeights(new WeightStore(checkpoint, context, options.Quantize), spec);
            spec = Shorten(spec, options.ContextLength);
            var layout = new KvLayout(spec.Layers.Count, spec.KvHeads, spec.HeadDim, options.KvType, spec.ValueDim);
            var content = options.HeadersOnly
                ? "" : Fingerprint.Of(checkpoint, context.Threads, options.Progress, cancellationToken);
            var card = new ModelCard
            {
                Name = options.Name ?? NameOf(directory),
                Directory = directory,
                Family = spec.Family,
                VocabularySize = spec.VocabularySize,
                ContextLength = spec.ContextLength,
                Parameters = weights.Parameters,
                EosTokens = checkpoint.EosTokens(spec.VocabularySize),
                Fingerprint = options.HeadersOnly
                    ? "" : $"{content}{Rounded(options.Quantize)}-{Lower(layout.Type)}-b{KvLayout.BlockTokens}",
                Created = File.GetLastWriteTimeUtc(
                    File.Exists(directory) ? directory : Path.Combine(directory, "config.json")),
            };
            return new(checkpoint, spec, weights, card, layout);
        }
        catch
        {
            weights?.Dispose();
            checkpoint.Dispose();
            throw;
        }
    }

    /// <param name="context">The engine loop's own; it and the pool outlive the runner.</param>
    /// <param name="rowsMax">Most rows of a batch.</param>
    internal IModelRunner CreateRunner(KernelContext context, KvPool pool, int rowsMax) =>
        CreateRunner(new CpuDevice(context, pool, rowsMax));

    /// <param name="device">Taken over.</param>
    internal IModelRunner CreateRunner(IDevice device)
    {
        try
        {
            return new DecoderRunner(_spec, _weights, device);
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _weights.Dispose();
        _checkpoint.Dispose();
    }

    /// <summary>The fields of a GGUF file, which hold a tokenizer and a chat template too; null for a directory.</summary>
    /// <exception cref="CheckpointException">The file is not sound.</exception>
    public static GgufFields? ReadGguf(string path)
    {
        if (!GgufFile.Is(path))
            return null;
        using var file = GgufFile.Open(path);
        return file.Fields;
    }

    /// <summary>The name of a model whose name is not given: its directory's, or its file's without the ending.</summary>
    public static string NameOf(string path) => File.Exists(path)
        ? Path.GetFileNameWithoutExtension(path)
        : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));

    static string Rounded(DType? type) => type is { } rounded ? $"-{Lower(rounded)}" : "";

    static string Lower(DType type) => type.ToString().ToLowerInvariant();

    static ModelSpec Shorten(ModelSpec spec, int? contextLength) => contextLength is not { } length
        ? spec
        : length >= 1 && length <= spec.ContextLength
            ? spec with { ContextLength = length }
            : throw new ArgumentOutOfRangeException(
                nameof(contextLength), length, $"the model's context is {spec.ContextLength} tokens");
}
