using System.Diagnostics;
using Hearth.Contracts;
using Hearth.Engine.Models;
using Hearth.Kernels;
using Hearth.Kernels.Bench;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hearth.Engine.Bench;

/// <summary>What rounding a spilled cache to int8 saves and costs: bytes, time, and how far replies go astray.</summary>
static class Int8Report
{
    const int Histories = 20, HistoryTokens = 400, ReplyTokens = 64, Rounds = 9;

    static readonly CacheId Cache = new("int8");

    public static async Task RunAsync(string directory, DType type)
    {
        using var model = LoadedModel.Load(directory, new ModelOptions { KvType = type });
        var options = new EngineOptions { KvMemoryBytes = model.KvLayout.BlockBytes * 128, MaxSequences = 4 };
        await using var exact = TokenEngine.Create(model, options, NullLogger.Instance, TimeProvider.System);
        await using var rounded = TokenEngine.Create(model, options, NullLogger.Instance, TimeProvider.System);
        var (same, all, worst, errors) = (0, 0, 0f, new List<float>());
        var ratio = 0.0;
        for (var seed = 0; seed < Histories; seed++)
        {
            // What the model itself writes is the kind of text that it has seen.
            int[] start = [seed + 1];
            int[] history = [.. start, .. (await ReadAsync(exact, start, HistoryTokens, 1, seed)).Select(chunk => chunk.Token)];
            var small = (await exact.ExportInt8Async(Cache, 0, default))!.Blob.Length;
            ratio = small / (double)(await exact.ExportAsync(Cache, 0, default))!.Blob.Length;
            await MoveAsync(exact, rounded, history);
            var expected = await ReadAsync(exact, history, ReplyTokens, 0, 0);
            for (var i = 0; i < expected.Count; i++)
            {
                int[] known = [.. history, .. expected.Take(i).Select(chunk => chunk.Token)];
                var got = (await ReadAsync(rounded, known, 1, 0, 0))[0];
                (same, all) = (same + (got.Token == expected[i].Token ? 1 : 0), all + 1);
                var error = Error(expected[i], got);
                errors.Add(error);
                worst = MathF.Max(worst, error);
            }

            await exact.DropAsync(Cache, default);
            await rounded.DropAsync(Cache, default);
        }

        errors.Sort();
        Console.WriteLine(
            $"{model.Card.Name}, keys and values {type}: bytes x {ratio:F3}; "
            + $"greedy token the same in {same} of {all} after the exact reply so far; error of the top 20 log-probabilities p50 {errors[errors.Count / 2]:F4}, worst {worst:F4}");
    }

    /// <summary>Copying parts out and in, one thread.</summary>
    public static async Task SpeedAsync(string directory, DType type)
    {
        const int tokens = 8 * Limits.ChunkTokens;
        await using var rig = new MoveRig(directory, type, tokens);
        await rig.InventAsync(0, tokens);
        foreach (var int8 in (bool[])[false, true])
        {
            var (export, import) = (new Samples("F2"), new Samples("F2"));
            for (var round = 0; round < Rounds; round++)
            {
                var parts = new List<CacheChunk>();
                export.Add(await RateAsync(rig, async first =>
                {
                    var part = await (int8
                        ? rig.Engine(0).ExportInt8Async(MoveRig.Cache, first, default)
                        : rig.Engine(0).ExportAsync(MoveRig.Cache, first, default));
                    parts.Add(part!);
                }));
                import.Add(await RateAsync(rig, async first =>
                    await rig.Engine(1).ImportAsync(MoveRig.Cache, "bench", rig.Known[..(first + Limits.ChunkTokens)], first,
                        parts[first / Limits.ChunkTokens].Blob, default)));
                await rig.Engine(1).DropAsync(MoveRig.Cache, default);
            }

            var form = int8 ? "int8" : "exact";
            Console.WriteLine($"{form}: export {export} GB/s, import {import} GB/s of {type} keys and values");
        }

        static async Task<double> RateAsync(MoveRig rig, Func<int, Task> copy)
        {
            var start = Stopwatch.GetTimestamp();
            for (var first = 0; first < tokens; first += Limits.ChunkTokens)
            {
                await copy(first);
            }

            return (double)tokens * rig.TokenBytes / 1e9 / Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }

    static async Task MoveAsync(TokenEngine from, TokenEngine to, int[] tokens)
    {
        for (var first = 0; await from.ExportInt8Async(Cache, first, default) is { } part; first += Limits.ChunkTokens)
        {
            var known = tokens.AsMemory(0, first + part.Tokens);
            if (await to.ImportAsync(Cache, "bench", known, first, part.Blob, default) is { } reason)
            {
                throw new InvalidOperationException(reason);
            }
        }
    }

    static async Task<List<TokenChunk>> ReadAsync(TokenEngine engine, int[] prompt, int tokens, float temperature, int seed)
    {
        var request = new TokenRequest
        {
            Cache = Cache,
            Scope = "bench",
            Prompt = prompt,
            MaxTokens = tokens,
            Logprobs = true,
            Sampling = new SamplingOptions { Temperature = temperature, Seed = seed, TopLogprobs = 20 },
        };
        engine.TrySubmit(request, out var chunks);
        var read = new List<TokenChunk>();
        await foreach (var chunk in chunks!.ReadAllAsync())
        {
            if (chunk.Kind == TokenChunkKind.Token)
            {
                read.Add(chunk);
            }
        }

        return read;
    }

    /// <summary>Largest difference of a log-probability that both runs report.</summary>
    static float Error(in TokenChunk a, in TokenChunk b)
    {
        var known = a.Top!.ToDictionary(top => top.Token, top => top.Logprob);
        return b.Top!.Where(top => known.ContainsKey(top.Token)).Select(top => MathF.Abs(top.Logprob - known[top.Token])).Max();
    }
}
