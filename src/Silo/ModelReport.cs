using Hearth.Contracts;
using Hearth.Engine.Models;
using Hearth.Grains;
using Hearth.Kernels;

namespace Hearth.Silo;

/// <summary>What is in a checkpoint, without loading it for service.</summary>
/// <param name="KvBytesPerToken">With keys and values as f16.</param>
public sealed record ModelReport(ModelCard Card, long KvBytesPerToken, IReadOnlyList<TensorReport> Tensors)
{
    /// <exception cref="SiloException">The checkpoint cannot be served.</exception>
    public static ModelReport Read(string directory) => SiloException.Guard(() =>
    {
        using var model = LoadedModel.Load(directory, new ModelOptions { KvType = DType.F16 });
        ServedModel.ReadText(model.Card.Directory);
        return new ModelReport(model.Card, model.KvLayout.ExportBytes(1),
            [.. model.Tensors.Select(t => new TensorReport(t.Name, t.Type, t.Shape, t.Bytes))]);
    });
}

public sealed record TensorReport(string Name, string Type, string Shape, long Bytes);
