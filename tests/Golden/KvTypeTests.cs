using Hearth.Kernels;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>What the stored type of keys and values costs: docs/fidelity.md has the figures that this test reports.</summary>
public sealed class KvTypeTests
{
    [Theory, InlineData(DType.F32, 1e-4f), InlineData(DType.F16, 0.04f), InlineData(DType.BF16, 0.25f)]
    public void LogitsDeviateWithinBoundsWhateverTheCacheIsStoredAs(DType type, float deviationMax)
    {
        var (worst, changed, tokens) = (0f, 0, 0);
        foreach (var model in ModelTests.Models.Select(m => m.Data))
        {
            using var reference = new Reference(GoldenFolder.At("models", model));
            using var rig = new Rig(GoldenFolder.At("models", model), type);
            var (logits, expected) = (rig.Run((rig.Begin(), reference.InputIds)), reference.Tensor("logits"));
            var deviation = Reference.Deviation(logits, expected);
            worst = Math.Max(worst, deviation);
            for (var i = 0; i < logits.Length; i += rig.Vocabulary, tokens++)
                changed += rig.Best(logits.AsSpan(i, rig.Vocabulary)) == rig.Best(expected.AsSpan(i, rig.Vocabulary)) ? 0 : 1;
            TestContext.Current.TestOutputHelper!.WriteLine($"{type} {model}: {deviation:E1}");
        }
        TestContext.Current.TestOutputHelper!.WriteLine($"{type}: {worst:E1}, {changed} of {tokens} most probable tokens differ");
        Assert.InRange(worst, 0, deviationMax);
    }
}
