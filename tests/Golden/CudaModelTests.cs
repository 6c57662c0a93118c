using Hearth.Cuda.Tests;
using Hearth.Engine.Devices;
using Hearth.Engine.Models;
using Hearth.Kernels;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>The models through the whole of the CUDA backend, over the fake driver and the emulated kernels.</summary>
public sealed class CudaModelTests
{
    const float Tolerance = 1e-4f, RoundedTolerance = 2e-2f;

    static readonly CudaOptions _exact = new() { Exact = true, CacheFolder = FakeCards.CacheFolder };

    public CudaModelTests() => FakeCards.Require();

    [Theory, MemberData(nameof(ModelTests.Models), MemberType = typeof(ModelTests))]
    public void LogitsAndCacheAgree(string model)
    {
        using var reference = new Reference(GoldenFolder.At("models", model));
        using var rig = OnCard(model, _exact);
        var sequence = rig.Begin();
        var logits = rig.Run((sequence, reference.InputIds));
        Assert.InRange(Reference.Deviation(logits, reference.Tensor("logits")), 0, Tolerance);
        for (var layer = 0; layer < rig.Model.KvLayout.Layers; layer++)
        {
            var (keys, values) = (rig.Cache(sequence, layer, true), rig.Cache(sequence, layer, false));
            Assert.InRange(Reference.Deviation(keys, reference.Tensor($"kv.{layer}.key")), 0, Tolerance);
            Assert.InRange(Reference.Deviation(values, reference.Tensor($"kv.{layer}.value")), 0, Tolerance);
        }
    }

    static Rig OnCard(string model, CudaOptions options, DType kvType = DType.F32) =>
        new(GoldenFolder.At("models", model), kvType, place: loaded => Place(loaded, options));

    static Placement Place(LoadedModel model, CudaOptions options) =>
        Placement.OnCard(model, 0, Rig.BlocksMax * model.KvLayout.BlockBytes, Rig.RowsMax, options);
}
