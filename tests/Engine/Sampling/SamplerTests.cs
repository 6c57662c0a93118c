using System.Text.Json;
using Hearth.Contracts;
using Hearth.Engine.Sampling;
using Xunit;

namespace Hearth.Engine.Tests.Sampling;

public class SamplerTests
{
    static readonly string[] Known = ["temperature", "top_k", "top_p", "min_p", "repetition_penalty"];

    [Fact]
    public void MatchesTheReferenceProcessors()
    {
        using var golden = JsonDocument.Parse(File.ReadAllText(Golden.Path("sampling/processors.json")));
        var cases = 0;
        foreach (var expected in golden.RootElement.GetProperty("cases").EnumerateArray())
        {
            if (Options(expected) is { } options)
            {
                Compare(golden.RootElement, expected, options);
                cases++;
            }
        }

        Assert.True(cases > 250, $"only {cases} cases");
    }

    [Fact]
    public void MatchesTheFormulaOfOpenAIsPenalties()
    {
        using var golden = JsonDocument.Parse(File.ReadAllText(Golden.Path("sampling/processors.json")));
        foreach (var expected in golden.RootElement.GetProperty("openai_penalties").GetProperty("cases").EnumerateArray())
        {
            var options = new SamplingOptions
            {
                FrequencyPenalty = expected.GetProperty("frequency_penalty").GetSingle(),
                PresencePenalty = expected.GetProperty("presence_penalty").GetSingle(),
            };
            var logits = Logits(golden.RootElement, expected);
            new Penalties(options, Ints(expected.GetProperty("counted_output_ids")), 0).Apply(logits);
            AssertClose(Floats(expected.GetProperty("scores")), logits);
        }
    }

    [Fact]
    public void KeepsTheSameCandidatesOfALargeVocabularyAsASortWould()
    {
        const int Vocabulary = 50_000;
        var random = new Random(1);
        var sampler = new Sampler(Vocabulary);
        for (var round = 0; round < 12; round++)
        {
            var spread = 1 << (round % 6);
            float[] scores = [.. Enumerable.Range(0, Vocabulary).Select(_ => MathF.Round(random.NextSingle() * spread, 3))];
            var options = new SamplingOptions
            {
                TopK = (round % 3) * 1500,
                TopP = round % 2 == 0 ? 0.9f : 1,
                MinP = round % 4 == 3 ? 0.2f : 0.01f,
            };
            Assert.True(sampler.Filter(scores, scores.Max(), options));
            Assert.Equal(Expected(scores, options), Kept(sampler));
        }
    }

    [Fact]
    public void DrawsByProbability()
    {
        var sampler = new Sampler(4);
        var counts = new int[4];
        for (var position = 0; position < 40_000; position++)
        {
            float[] logits = [MathF.Log(0.1f), MathF.Log(0.2f), float.NegativeInfinity, MathF.Log(0.7f)];
            counts[sampler.Choose(logits, new SamplingOptions(), null, 5, position)]++;
        }

        Assert.Equal(0, counts[2]);
        Assert.InRange(counts[0], 3_700, 4_300);
        Assert.InRange(counts[1], 7_600, 8_400);
        Assert.InRange(counts[3], 27_500, 28_500);
    }

    [Fact]
    public void GivesLogProbabilitiesOfTheRawLogits()
    {
        float[] logits = [1, 3, 2, -1];
        var (chosen, top) = new Sampler(4).Logprobs(logits, 3, 2);
        var sum = Math.Log(logits.Sum(logit => Math.Exp(logit)));
        Assert.Equal(-1 - sum, chosen, 1e-5);
        Assert.Equal([1, 2], top.Select(entry => entry.Token));
        Assert.Equal(3 - sum, top[0].Logprob, 1e-5);
    }

    [Theory]
    [InlineData(float.NaN, 1f)]
    [InlineData(float.NegativeInfinity, float.NegativeInfinity)]
    [InlineData(float.PositiveInfinity, 1f)]
    public void RefusesARowWithoutAFiniteBest(float first, float second) =>
        Assert.Throws<InvalidOperationException>(() => new Sampler(2).Choose([first, second], new SamplingOptions(), null, 1, 1));

    [Fact]
    public void AllocatesNothingPerToken()
    {
        const int Vocabulary = 20_000;
        var sampler = new Sampler(Vocabulary);
        var options = new SamplingOptions { Temperature = 0.7f, TopK = 50, TopP = 0.9f, MinP = 0.02f, FrequencyPenalty = 0.5f };
        var penalties = new Penalties(options, Enumerable.Range(0, 100).ToArray(), 50);
        var logits = new float[Vocabulary];
        var random = new Random(1);
        var before = 0L;
        for (var position = 0; position < 50; position++)
        {
            if (position == 10)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            for (var i = 0; i < Vocabulary; i++)
            {
                logits[i] = random.NextSingle() * 20;
            }

            sampler.Choose(logits, options, penalties, 1, position);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    static void Compare(JsonElement root, JsonElement expected, SamplingOptions options)
    {
        var what = $"{expected.GetProperty("vector")} {expected.GetProperty("processor")} {expected.GetProperty("params")}";
        var logits = Logits(root, expected);
        if (Penalties.Needed(options))
        {
            new Penalties(options, Ints(expected.GetProperty("input_ids")), 0).Apply(logits);
        }

        for (var i = 0; i < logits.Length; i++)
        {
            logits[i] /= options.Temperature;
        }

        var sampler = new Sampler(logits.Length);
        var max = logits.Max();
        var kept = sampler.Filter(logits, max, options)
            ? Kept(sampler)
            : [.. Enumerable.Range(0, logits.Length).Where(i => !float.IsNegativeInfinity(logits[i]))];

        // Which of equal scores stays at the edge is the reference's sort's whim: compare the scores, best first.
        var total = kept.Sum(id => Math.Exp(logits[id] - max));
        var probabilities = kept.Select(id => (float)(Math.Exp(logits[id] - max) / total)).OrderDescending();
        var wanted = Floats(expected.GetProperty("probs")).Where(p => p > 0).OrderDescending().ToArray();
        Assert.True(Ints(expected.GetProperty("kept")).Length == kept.Length, $"{what}: kept [{string.Join(' ', kept)}]");
        AssertClose(wanted, [.. probabilities.Take(wanted.Length)]);
    }

    static float[] Logits(JsonElement root, JsonElement expected) =>
        Floats(root.GetProperty("vectors").GetProperty(expected.GetProperty("vector").GetString()!));

    static SamplingOptions? Options(JsonElement expected)
    {
        var parameters = expected.GetProperty("params");
        var processor = expected.GetProperty("processor").GetString()!;
        var names = parameters.EnumerateObject().Select(p => p.Name).Where(name => name is not ("order" or "renormalize_logits"));
        if (!(processor == "chain" || Known.Contains(processor)) || names.Any(name => !Known.Contains(name)))
        {
            return null;
        }

        float Value(string name, float otherwise) =>
            parameters.TryGetProperty(name, out var value) ? value.GetSingle() : otherwise;
        return new SamplingOptions
        {
            Temperature = Value("temperature", 1),
            TopK = (int)Value("top_k", processor == "chain" && HasDefaultTopK(parameters) ? 50 : 0),
            TopP = Value("top_p", 1),
            MinP = Value("min_p", 0),
            RepetitionPenalty = Value("repetition_penalty", 1),
        };
    }

    static bool HasDefaultTopK(JsonElement parameters) =>
        parameters.GetProperty("order").EnumerateArray().Any(name => name.GetString() == "TopKLogitsWarper");

    static int[] Expected(float[] scores, SamplingOptions options)
    {
        var order = Enumerable.Range(0, scores.Length).OrderByDescending(i => scores[i]).ThenBy(i => i).ToList();
        if (options.TopK > 0)
        {
            order = [.. order.Where(i => scores[i] >= scores[order[options.TopK - 1]])];
        }

        var max = scores[order[0]];
        if (options.TopP < 1)
        {
            var (total, before) = (order.Sum(i => Math.Exp(scores[i] - max)), 0.0);
            double Exp(int i) => Math.Exp(scores[i] - max);
            order = [.. order.TakeWhile(i => (before += Exp(i)) - Exp(i) < options.TopP * total)];
        }

        return [.. order.Where(i => Math.Exp(scores[i] - max) >= options.MinP).Order()];
    }

    static int[] Kept(Sampler sampler) => [.. Enumerable.Range(0, sampler.Left.Count).Select(sampler.Left.Id).Order()];

    static float[] Floats(JsonElement array) =>
        [.. array.EnumerateArray().Select(e => e.ValueKind == JsonValueKind.Null ? float.NegativeInfinity : e.GetSingle())];

    static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];

    static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            var close = expected[i] == actual[i] || Math.Abs(expected[i] - actual[i]) < 1e-5;
            Assert.True(close, $"[{i}]: {expected[i]} and {actual[i]}");
        }
    }
}
