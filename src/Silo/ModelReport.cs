using Hearth.Contracts;
using Hearth.Engine.Models;
using Hearth.Grains;
using Hearth.Kernels;

namespace Hearth.Silo;

/// <summary>What is in a checkpoint, without loading it for service.</summary>
/// <param name="HasTemplate">False for a model that completes text but cannot chat.</param>
/// <param name="WeightBytes">Of all tensors as they are stored.</param>
/// <param name="Formats">The matrices as they are served.</param>
/// <param name="Caches">What caches cost, by the type of keys and values.</param>
public sealed record ModelReport(
    ModelCard Card, bool HasTemplate, long WeightBytes, IReadOnlyList<FormatReport> Formats, IReadOnlyList<CacheSize> Caches,
    IReadOnlyList<TensorReport> Tensors)
{
    static readonly DType[] _types = [DType.F32, DType.F16, DType.BF16];

    /// <param name="headersOnly">Reads no weights: quick, but gives no fingerprint.</param>
    /// <exception cref="SiloException">The checkpoint cannot be served.</exception>
    public static ModelReport Read(string directory, bool headersOnly = false) => SiloException.Guard(() =>
    {
        LoadedModel.RequireConfig(directory);
        var (_, template) = GgufText.Read(directory) is { } gguf ? ServedModel.ReadText(gguf) : ServedModel.ReadText(directory);
        using var model = LoadedModel.Load(directory, new ModelOptions { KvType = DType.F16, HeadersOnly = headersOnly });
        return new ModelReport(model.Card, template is not null, model.Tensors.Sum(t => t.Bytes),
            [.. model.Formats.Select(f => new FormatReport(f.Format, f.Matrices, f.Bytes))],
            [.. _types.Select(type => SizeOf(model.KvLayout, type))],
            [.. model.Tensors.Select(t => new TensorReport(t.Name, t.Type, t.Shape, t.Bytes))]);
    });

    static CacheSize SizeOf(KvLayout shape, DType type)
    {
        var layout = new KvLayout(shape.Layers, shape.KvHeads, shape.HeadDim, type, shape.ValueDim);
        return new CacheSize(type.ToString().ToLowerInvariant(), KvLayout.BlockTokens, layout.BlockBytes, layout.ExportBytes(1),
            KvInt8.Bytes(layout, 1));
    }
}

/// <param name="Type">As --kv-type takes it.</param>
/// <param name="BlockTokens">Tokens of a block: a conversation takes whole ones.</param>
/// <param name="BlockBytes">What a block costs of the KV memory.</param>
/// <param name="SpillBytes">Of one token in Redis.</param>
/// <param name="SpillInt8Bytes">The same with --spill-int8.</param>
public sealed record CacheSize(string Type, int BlockTokens, long BlockBytes, long SpillBytes, long SpillInt8Bytes)
{
    /// <summary>Tokens that so much KV memory holds.</summary>
    public long TokensIn(long bytes) => bytes / BlockBytes * BlockTokens;

    /// <summary>Conversations of so many tokens each that so much KV memory holds, if they share nothing.</summary>
    public long ConversationsIn(long bytes, int tokens) => bytes / BlockBytes / ((tokens + BlockTokens - 1) / BlockTokens);
}

/// <param name="Bytes">Of so many matrices, mapped or in memory.</param>
public sealed record FormatReport(string Format, int Matrices, long Bytes);

public sealed record TensorReport(string Name, string Type, string Shape, long Bytes);
