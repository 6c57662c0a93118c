using Hearth.Cuda;
using Hearth.Cuda.Tests;
using Hearth.Engine.Devices;
using Hearth.Engine.Models;
using Hearth.Kernels;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>The models through the whole of the CUDA backend, over the fake driver and the emulated kernels.</summary>
[Collection(FakeCards.Collection)]
public sealed class CudaModelTests
{
    const float Tolerance = 1e-4f, RoundedTolerance = 2e-2f;

    static readonly CudaOptions _exact = new() { Exact = true, CacheFolder = FakeCards.CacheFolder };

    public CudaModelTests() => FakeCards.Require();

    /// <summary>A prompt, then decode steps: some as they are (memory grows), then one recorded and the rest replayed.</summary>
    [Theory, MemberData(nameof(ModelTests.Models), MemberType = typeof(ModelTests))]
    public void LogitsCachesAndGreedyTokensAgree(string model)
    {
        const int Steps = 6;
        using var reference = new Reference(GoldenFolder.At("models", model));
        if (model.StartsWith("deepseek", StringComparison.Ordinal))
        {
            Assert.Contains("latent attention", Assert.Throws<CudaException>(() => OnCard(model, _exact)).Message);
            return;
        }
        using var rig = OnCard(model, _exact);
        var sequence = rig.Begin();
        var logits = rig.Run((sequence, reference.InputIds));
        Assert.InRange(Reference.Deviation(logits, reference.Tensor("logits")), 0, Tolerance);
        for (var layer = 0; layer < rig.Model.KvLayout.Layers; layer++)
        {
            var (keys, values) = reference.Cache(layer);
            Assert.InRange(keys.Deviation(rig.Cache(sequence, layer, true)), 0, Tolerance);
            Assert.InRange(values.Deviation(rig.Cache(sequence, layer, false)), 0, Tolerance);
        }
        var expected = Reference.Ids(reference.Json.GetProperty("greedy").GetProperty("tokens"));
        var greedy = reference.Tensor("greedy.logits");
        var (last, replays) = (logits[^rig.Vocabulary..], FakeCards.Count("graph_launches"));
        for (var i = 0; i < Steps; i++)
        {
            Assert.Equal(expected[i], rig.Best(last));
            Assert.InRange(Reference.Deviation(last, greedy.AsSpan(i * rig.Vocabulary, rig.Vocabulary)), 0, Tolerance);
            last = rig.Run((sequence, [expected[i]]));
        }
        Assert.InRange(FakeCards.Count("graph_launches") - replays, Steps - 2, Steps);
    }

    /// <summary>Chunks of a prompt beside a decoding sequence: both attention kernels and kinds of product in one step.</summary>
    [Fact]
    public void AMixedBatchAgreesWithTheProcessor()
    {
        var directory = GoldenFolder.At("models", "llama3_gqa");
        using var reference = new Reference(directory);
        using var card = OnCard("llama3_gqa", _exact, shuffle: 5);
        using var processor = new Rig(directory);
        var ids = reference.InputIds;
        foreach (var rig in (Rig[])[card, processor])
            _ = rig.Run(rig.Begin(), ids[..3]);
        var expected = Mixed(processor, ids);
        Assert.InRange(Reference.Deviation(Mixed(card, ids), expected), 0, Tolerance);
    }

    /// <summary>As it is served: products of many rows take inputs of the weights' type. Torch's own bf16 is twice as far
    /// away.</summary>
    [Theory, InlineData("mistral"), InlineData("qwen2_sliding"), InlineData("llama_rope_dynamic")]
    public void RoundedProductsStayNear(string model)
    {
        using var reference = new Reference(GoldenFolder.At("models", model));
        using var rig = OnCard(model, _exact with { Exact = false });
        var (logits, expected) = (rig.Run((rig.Begin(), reference.InputIds)), reference.Tensor("logits"));
        Assert.InRange(Reference.Deviation(logits, expected) / expected.Max(MathF.Abs), 1e-6f, RoundedTolerance);
    }

    [Theory, InlineData("llama3_gqa"), InlineData("mistral")]
    public void InDeterministicModeLogitsDoNotDependOnChunksBlocksOrNeighbours(string model)
    {
        using var reference = new Reference(GoldenFolder.At("models", model));
        var options = _exact with { Exact = false, Deterministic = true };
        using var rig = OnCard(model, options);
        using var other = OnCard(model, options, shuffle: 7);
        var ids = reference.InputIds;
        var whole = rig.Run((rig.Begin(), ids));
        Assert.Equal(whole, other.Run(other.Begin(), ids, 40, 24, 1));

        var (front, subject) = (other.Begin(), other.Begin());
        var logits = new List<float>();
        foreach (var chunk in ids.Chunk(17))
        {
            var neighbour = chunk.Select(id => (id + 3) % rig.Vocabulary).ToArray();
            var step = other.Run((front, neighbour[..(chunk.Length / 2)]), (subject, chunk));
            logits.AddRange(step.AsSpan(chunk.Length / 2 * rig.Vocabulary));
        }
        Assert.Equal(whole, logits);
    }

    /// <summary>A cache goes from a card to the processor and to another card, in every type, and is the same bytes.</summary>
    [Theory, InlineData(DType.F32), InlineData(DType.F16), InlineData(DType.BF16)]
    public void ACacheMovesBetweenCardAndProcessor(DType type)
    {
        const string Model = "llama3_gqa";
        var directory = GoldenFolder.At("models", Model);
        using var reference = new Reference(directory);
        using var card = OnCard(Model, _exact, type);
        using var processor = new Rig(directory, type);
        using var second = OnCard(Model, _exact, type, cards: 1);
        var ids = reference.InputIds[..70];
        var from = card.Begin();
        var first = card.Run(from, ids, 33);
        var next = card.Run((from, [ids[0]]));
        foreach (var rig in (Rig[])[processor, second])
        {
            var to = rig.Adopt(card, from, ids.Length);
            var again = rig.Run((to, [ids[0]]));
            Assert.InRange(Reference.Deviation(again, next), 0, type == DType.F32 ? Tolerance : RoundedTolerance);
            Assert.Equal(card.Exported(from, ids.Length), rig.Exported(to, ids.Length));
        }
        Assert.NotEmpty(first);
    }

    /// <summary>Only the ids come back, of steps that run as they are, are recorded and replayed.</summary>
    [Theory, InlineData(1), InlineData(2)]
    public void TheCardChoosesTheMostProbableTokens(int cards)
    {
        const string Model = "llama3_gqa";
        using var reference = new Reference(GoldenFolder.At("models", Model));
        using var rig = OnCard(Model, _exact, cards: [.. Enumerable.Range(0, cards)]);
        var expected = Reference.Ids(reference.Json.GetProperty("greedy").GetProperty("tokens"));
        var sequence = rig.Begin();
        _ = rig.Run(sequence, reference.InputIds);
        Assert.Equal(expected[1..9], Enumerable.Range(0, 8).Select(i => rig.BestAfter(sequence, expected[i])));
    }

    /// <summary>The copy of a block waits for the step that writes it, and the next step for the copy.</summary>
    [Fact]
    public void ABlockIsCopiedBetweenSteps()
    {
        const string Model = "llama";
        using var reference = new Reference(GoldenFolder.At("models", Model));
        using var rig = OnCard(Model, _exact);
        var ids = reference.InputIds[..40];
        var sequence = rig.Begin();
        _ = rig.Run(sequence, ids);
        var expected = rig.Run((sequence, [ids[0]]));
        var fork = rig.Fork(sequence, ids.Length);
        Assert.Equal(expected, rig.Run((fork, [ids[0]])));
    }

    [Fact]
    public void KernelsAreCompiledOnce()
    {
        using (OnCard("llama", _exact))
        {
        }
        var before = FakeCards.Count("compilations");
        using (OnCard("llama", _exact))
        {
        }
        Assert.Equal(before, FakeCards.Count("compilations"));
    }

    /// <summary>Layers over two cards: the same numbers, and caches that a single device reads.</summary>
    [Theory, InlineData("llama3_gqa"), InlineData("gpt2")]
    public void AModelOverTwoCardsAgrees(string model)
    {
        using var reference = new Reference(GoldenFolder.At("models", model));
        using var rig = OnCard(model, _exact, cards: [1, 0]);
        var greedy = reference.Json.GetProperty("greedy");
        var expected = Reference.Ids(greedy.GetProperty("tokens"))[..8];
        var (ids, logits) = rig.Greedy(reference.InputIds, expected.Length);
        Assert.Equal(expected, ids);
        Assert.InRange(Reference.Deviation(logits, reference.Tensor("greedy.logits").AsSpan(0, logits.Length)), 0, Tolerance);

        using var processor = new Rig(GoldenFolder.At("models", model));
        var from = rig.Begin();
        _ = rig.Run(from, reference.InputIds[..50]);
        var to = processor.Adopt(rig, from, 50);
        var next = rig.Run((from, [1]));
        Assert.InRange(Reference.Deviation(processor.Run((to, [1])), next), 0, Tolerance);
    }

    /// <summary>The kernels on tensor cores, which take heads of 64 and more in 16 bits: what is served agrees with the
    /// processor's.</summary>
    [Theory, InlineData(DType.F16), InlineData(DType.BF16)]
    public void TheFastKernelsAgreeWithTheProcessor(DType type)
    {
        // One head in the place of four.
        using var edited = EditedCheckpoint.With(
            GoldenFolder.At("models", "llama"), ("num_attention_heads", 1), ("num_key_value_heads", 1), ("head_dim", 64));
        using var card = new Rig(edited.Directory, type, place: Place(_exact with { Exact = false }));
        using var processor = new Rig(edited.Directory, type);
        var ids = Enumerable.Range(0, 150).Select(i => (i * 7919 + 13) % card.Vocabulary).ToArray();
        var (one, two) = (card.Begin(), processor.Begin());
        var (actual, expected) = (card.Run(one, ids, 137, 1), processor.Run(two, ids, 137, 1));
        Assert.InRange(Reference.Deviation(actual, expected) / expected.Max(MathF.Abs), 0, RoundedTolerance);
    }

    static Func<LoadedModel, Placement> Place(CudaOptions options, params int[] cards) => loaded => Placement.OnCards(
        loaded, cards.Length > 0 ? cards : [0], [], Rig.BlocksMax * loaded.KvLayout.BlockBytes, Rig.RowsMax, options);

    static float[] Mixed(Rig rig, int[] ids)
    {
        var (decoding, prompt) = (rig.Begin(), rig.Begin());
        var all = new List<float>(rig.Run(decoding, ids[..30]));
        for (var i = 0; i < 4; i++)
            all.AddRange(rig.Run((decoding, [ids[30 + i]]), (prompt, ids[(20 * i)..(20 * i + 20)])));
        return [.. all];
    }

    static Rig OnCard(string model, CudaOptions options, DType kvType = DType.F32, int? shuffle = null, params int[] cards) =>
        new(GoldenFolder.At("models", model), kvType, shuffle: shuffle, place: Place(options, cards));
}
