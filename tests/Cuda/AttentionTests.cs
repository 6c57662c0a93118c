using Hearth.Kernels;
using Xunit;

namespace Hearth.Cuda.Tests;

public sealed class AttentionTests
{
    public static TheoryData<string> Types => Data.Types;

    public static readonly AttentionSpec[] Specs =
    [
        new(6, 0.3f),
        new(6, 0.2f, Window: 40),
        new(6, 0.3f, Window: 70, SinkTokens: 4),
        new(6, 0.5f, SoftCap: 3),
    ];

    static readonly (int Length, int Rows)[] _decoding = [(1, 1), (33, 1), (256, 1), (600, 1)];

    static readonly (int Length, int Rows)[] _prompts = [(5, 5), (70, 70), (300, 9), (130, 1)];

    [Theory]
    [MemberData(nameof(Types))]
    public void DecodingByPartsIsTheAttentionOfDoubles(string type)
    {
        foreach (var headDim in (int[])[20, 64, 160])
        {
            var kv = new KvFixture(type, 6, 2, headDim, _decoding);
            foreach (var spec in Specs)
                Data.Near(kv.Expected(spec), Decode(kv, spec, null, $"attend_decode_{type}"), 2e-5);
            float[] slopes = [0.5f, 0.25f, 0.1f, 0.05f, 0.02f, 0.01f];
            Data.Near(kv.Expected(Specs[0], slopes), Decode(kv, Specs[0], slopes, $"attend_decode_{type}"), 2e-5);
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void PrefillIsTheAttentionOfDoubles(string type)
    {
        foreach (var headDim in (int[])[20, 96])
        {
            var kv = new KvFixture(type, 6, 2, headDim, _prompts);
            foreach (var spec in Specs)
                Data.Near(kv.Expected(spec), Prefill(kv, spec, null, $"attend_prefill_{type}", 64), 2e-5);
        }
    }

    [Theory]
    [InlineData("bf16", 64, 6, 2)]
    [InlineData("bf16", 80, 4, 4)]
    [InlineData("f16", 96, 6, 2)]
    [InlineData("bf16", 128, 20, 1)]
    [InlineData("f16", 128, 32, 2)]
    [InlineData("f16", 256, 8, 1)]
    public void DecodingOnTensorCoresIsTheAttentionOfDoubles(string type, int headDim, int heads, int kvHeads)
    {
        var kv = new KvFixture(type, heads, kvHeads, headDim, _decoding);
        var shared = 32 * headDim + 256 * (headDim + kv.ValueStride);
        foreach (var spec in Specs.Select(spec => spec with { Heads = heads }))
        {
            Data.Near(kv.Expected(spec), Decode(kv, spec, null, $"attend_decode_{type}_{headDim}", shared),
                4 * Data.Epsilon(type));
        }
        float[] slopes = [.. Enumerable.Range(0, heads).Select(i => 0.5f / (i + 1))];
        Data.Near(kv.Expected(Specs[0] with { Heads = heads }, slopes),
            Decode(kv, Specs[0], slopes, $"attend_decode_{type}_{headDim}", shared), 4 * Data.Epsilon(type));
    }

    [Theory]
    [InlineData("bf16", 64, 4, 2)]
    [InlineData("f16", 80, 2, 1)]
    [InlineData("bf16", 96, 2, 2)]
    [InlineData("f16", 128, 4, 1)]
    [InlineData("bf16", 256, 2, 1)]
    public void PrefillOnTensorCoresIsTheAttentionOfDoubles(string type, int headDim, int heads, int kvHeads)
    {
        var kv = new KvFixture(type, heads, kvHeads, headDim, _prompts);
        foreach (var spec in Specs.Select(spec => spec with { Heads = heads }))
            Data.Near(kv.Expected(spec), FastPrefill(kv, spec, null), 4 * Data.Epsilon(type));
        float[] slopes = [.. Enumerable.Range(0, heads).Select(i => 0.5f / (i + 1))];
        Data.Near(kv.Expected(Specs[0] with { Heads = heads }, slopes), FastPrefill(kv, Specs[0], slopes),
            4 * Data.Epsilon(type));
    }

    [Theory]
    [InlineData("bf16", 64, 2, 1)]
    [InlineData("f16", 128, 2, 2)]
    [InlineData("bf16", 256, 1, 1)]
    public void PrefillOnHoppersTensorCoresIsTheAttentionOfDoubles(string type, int headDim, int heads, int kvHeads)
    {
        var kv = new KvFixture(type, heads, kvHeads, headDim, [(5, 5), (200, 150), (300, 9)]);
        var shared = 256 * headDim + 8 * headDim * (headDim > 128 ? 64 : 128);
        foreach (var spec in Specs.Select(spec => spec with { Heads = heads }))
        {
            Data.Near(kv.Expected(spec), Prefill(kv, spec, null, $"attend_prefill_{type}_{headDim}_hopper", 128, shared, 256),
                4 * Data.Epsilon(type));
        }
    }

    [Fact]
    public void ARowIsTheSameHoweverThePromptWasCut()
    {
        foreach (var spec in Specs)
        {
            var whole = new KvFixture("bf16", 2, 1, 64, [(300, 300)]);
            var all = FastPrefill(whole, spec, null);
            foreach (var rows in (int[])[1, 37, 200])
            {
                var part = new KvFixture("bf16", 2, 1, 64, [(300, rows)]);
                whole.Queries.AsSpan((300 - rows) * 128).CopyTo(part.Queries);
                Assert.Equal(all[((300 - rows) * 128)..], FastPrefill(part, spec, null));
            }
        }
    }

    static float[] FastPrefill(KvFixture kv, AttentionSpec spec, float[]? slopes)
    {
        var rows = kv.HeadDim > 128 ? 64 : 128;
        return Prefill(kv, spec, slopes, $"attend_prefill_{kv.Type}_{kv.HeadDim}", rows,
            2 * kv.HeadDim * rows + 256 * (kv.HeadDim + kv.ValueStride));
    }

    [Fact]
    public void ARowIsTheSameInPrefillAndInDecode()
    {
        var kv = new KvFixture("bf16", 6, 2, 64, [(600, 1), (33, 1)]);
        foreach (var spec in Specs)
            Assert.Equal(Prefill(kv, spec, null, "attend_prefill_bf16", 64), Decode(kv, spec, null, "attend_decode_bf16"));
    }

    /// <summary>What is written is what KvInt8 and e4m3 make of it, and decoding is the attention of doubles over that.</summary>
    [Theory]
    [InlineData("q8", 64, 6, 2)]
    [InlineData("q8", 80, 2, 1)]
    [InlineData("q8", 256, 4, 1)]
    [InlineData("f8", 96, 6, 2)]
    [InlineData("f8", 128, 20, 1)]
    public void NarrowKeysAndValuesAreDecoded(string format, int headDim, int heads, int kvHeads)
    {
        var kv = new KvFixture("bf16", heads, kvHeads, headDim, _decoding, format == "q8" ? Data.Int8Row : Data.Float8Row);
        var (keys, values, slots) = kv.Written();
        var headBytes = 32 * (headDim + kv.ValueStride) + 256;
        var pool = new Output<byte>(kv.PoolBlocks * KvFixture.Layers * kvHeads * headBytes);
        KernelRun.Launch($"kv_write_{format}", (slots.Length, 1, 1), 128, 0, keys, values, pool, slots, KvFixture.Layer,
            KvFixture.Layers, kvHeads, headDim, kv.ValueStride);
        var shared = 32 * headDim + 1024 + 128 * (headDim + kv.ValueStride);
        foreach (var spec in Specs.Select(spec => spec with { Heads = heads }))
        {
            Data.Near(kv.Expected(spec), Decode(kv, spec, null, $"attend_decode_{format}_{headDim}", shared, pool.Values),
                4 * Data.Epsilon("bf16"));
        }
    }

    static float[] Decode(KvFixture kv, AttentionSpec spec, float[]? slopes, string kernel, int shared = 0, Array? pool = null)
    {
        const int Parts = 3;
        var partials = new Output<float>(kv.Sequences * kv.Heads * Parts * (kv.HeadDim + 2));
        KernelRun.Launch(kernel, (Parts, kv.KvHeads, kv.Sequences), 128, shared,
            [kv.Queries, pool ?? Data.Stored(kv.Type, kv.Pool), kv.Spans, kv.Tables, null, partials, Parts,
            .. kv.Shape(spec, slopes)]);
        var target = new Output<float>(kv.Queries.Length);
        KernelRun.Launch("attend_merge", (kv.Heads, kv.Sequences, 1), 128, 0, partials.Values, kv.Spans, null, target, Parts,
            kv.Heads,
            kv.HeadDim, spec.Window, spec.SinkTokens);
        return target.Values!;
    }

    static float[] Prefill(KvFixture kv, AttentionSpec spec, float[]? slopes, string kernel, int tileRows, int shared = 0,
        int threads = 128)
    {
        var tiles = new List<int>();
        for (var i = 0; i < kv.Sequences; i++)
        {
            for (var first = 0; first < kv.Spans[4 * i + 1]; first += tileRows)
                tiles.AddRange([i, first]);
        }
        var target = new Output<float>(kv.Queries.Length);
        KernelRun.Launch(kernel, (tiles.Count / 2, kv.Heads, 1), threads, shared,
            [kv.Queries, Data.Stored(kv.Type, kv.Pool), kv.Spans, kv.Tables, tiles.ToArray(), target, .. kv.Shape(spec, slopes)]);
        return target.Values!;
    }
}
