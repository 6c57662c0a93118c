using System.Runtime.InteropServices;
using System.Text.Json;
using Hearth.Contracts;
using Hearth.Engine;
using Hearth.Engine.Checkpoints;
using Hearth.Engine.Models;
using Hearth.Kernels;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>The caches of transformers: what the engine says under each of its kinds, token by token.</summary>
public sealed class CacheTests
{
    const float Tolerance = 1e-4f;

    static readonly JsonElement[] All = Read("cache_reference.json");

    /// <summary>All but the sink cases.</summary>
    public static TheoryData<string> EngineCases => [.. All.Select(Key).Where(key => !key.Contains(".sink.", StringComparison.Ordinal))];

    [Theory, MemberData(nameof(EngineCases))]
    public async Task TheEngineSaysWhatTheReferenceSays(string key)
    {
        var item = All.Single(c => Key(c) == key);
        var (truth, agreed) = Truth(item);
        using var tensors = SafetensorsFile.Open(GoldenFolder.At("cache", "cache_reference.safetensors"));
        var expected = Reference.Ids(truth.GetProperty("tokens"));
        var (ids, top) = await ReplyAsync(item, KindOf(key), expected.Length);
        Assert.Equal(expected, ids);
        AssertTop(top, Tensor(tensors, $"{Key(truth)}.logits"), expected.Length);
        if (agreed > 0)
        {
            // The reference's own cache is wrong from there on; before, it agrees too.
            Assert.Equal(Reference.Ids(item.GetProperty("tokens"))[..agreed], ids[..agreed]);
            AssertTop(top, Tensor(tensors, $"{key}.logits"), agreed);
        }
    }

    /// <summary>What must be said: offloaded caches (refused without a graphics card there) and sliding and hybrid ones, which
    /// lose a key too early there once a short prompt grows to the window, say what a full cache does.</summary>
    /// <returns>The case with the truth, and how many tokens of this one are right.</returns>
    static (JsonElement Truth, int Agreed) Truth(JsonElement item)
    {
        var key = Key(item);
        var truth = key.Replace(".offloaded", ".dynamic", StringComparison.Ordinal)
            .Replace(".sliding.", ".dynamic.", StringComparison.Ordinal)
            .Replace(".hybrid.", ".nocache.", StringComparison.Ordinal);
        var prompt = item.GetProperty("prompt").GetArrayLength();
        var tokens = item.TryGetProperty("tokens", out var list) ? list.GetArrayLength() : 0;
        var window = WindowOf(item);
        var agreed = truth == key || tokens == 0 ? 0 : prompt > window ? tokens : window - prompt;
        return (All.Single(c => Key(c) == truth), agreed);
    }

    static int WindowOf(JsonElement item)
    {
        var file = GoldenFolder.At("models", item.GetProperty("model").GetString()!, "config.json");
        var config = JsonDocument.Parse(File.ReadAllBytes(file)).RootElement;
        return config.TryGetProperty("sliding_window", out var window) && window.ValueKind == JsonValueKind.Number
            ? window.GetInt32() : int.MaxValue;
    }

    /// <summary>gemma2's layers do not all slide: its blocks are kept.</summary>
    static CacheKind KindOf(string key) => key.Split('.')[1] switch
    {
        "static" => CacheKind.Static,
        "offloaded" => CacheKind.Offloaded,
        "sliding" => CacheKind.Sliding,
        "nocache" => CacheKind.None,
        _ => CacheKind.Dynamic,
    };

    static async Task<(int[] Ids, List<IReadOnlyList<(int Token, float Logprob)>> Top)> ReplyAsync(
        JsonElement item, CacheKind kind, int tokens)
    {
        var directory = GoldenFolder.At("models", item.GetProperty("model").GetString()!);
        using var model = LoadedModel.Load(directory, new ModelOptions { KvType = DType.F32, Threads = 1 });
        var options = new EngineOptions { Threads = 2, KvMemoryBytes = 16 << 20, HostMemoryBytes = 16 << 20 };
        await using var engine = TokenEngine.Create(model, options, NullLogger.Instance, TimeProvider.System);
        var request = new TokenRequest
        {
            Cache = new CacheId("golden"),
            Scope = "golden",
            Prompt = Reference.Ids(item.GetProperty("prompt")),
            Sampling = new SamplingOptions { Temperature = 0, TopLogprobs = 20 },
            MaxTokens = tokens,
            Logprobs = true,
            Kind = kind,
        };
        Assert.Equal(TurnError.None, engine.TrySubmit(request, out var chunks));
        var (ids, top) = (new List<int>(), new List<IReadOnlyList<(int Token, float Logprob)>>());
        await foreach (var chunk in chunks!.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            if (chunk.Kind == TokenChunkKind.Token)
            {
                ids.Add(chunk.Token);
                top.Add(chunk.Top!);
            }
        }
        return ([.. ids], top);
    }

    static void AssertTop(List<IReadOnlyList<(int Token, float Logprob)>> top, float[] logits, int steps)
    {
        var vocabulary = logits.Length / top.Count;
        for (var step = 0; step < steps; step++)
        {
            var row = logits.AsSpan(step * vocabulary, vocabulary);
            var sum = 0d;
            foreach (var logit in row)
                sum += Math.Exp(logit);
            foreach (var entry in top[step])
                Assert.Equal(row[entry.Token] - (float)Math.Log(sum), entry.Logprob, Tolerance);
        }
    }

    static float[] Tensor(SafetensorsFile file, string name) =>
        MemoryMarshal.Cast<byte, float>(file.Data(file.Find(name)!).Bytes).ToArray();

    static string Key(JsonElement item) => item.GetProperty("key").GetString()!;

    static JsonElement[] Read(string file) =>
        [.. JsonDocument.Parse(File.ReadAllBytes(GoldenFolder.At("cache", file))).RootElement.GetProperty("cases").EnumerateArray()];
}
