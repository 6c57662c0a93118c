using Xunit;

namespace Hearth.Kernels.Tests;

public class PagedAttentionTests
{
    [Theory]
    [MemberData(nameof(TestData.SetNames), MemberType = typeof(TestData))]
    public void EveryWidthTypeAndShapeAgreesWithDoubles(string set)
    {
        using var context = TestData.Context(set);
        foreach (var (heads, kvHeads, headDim) in ((int, int, int)[])[(4, 2, 24), (3, 3, 16), (8, 1, 64), (7, 1, 80),
            (12, 4, 33), (1, 1, 1)])
        {
            foreach (var (window, cap, sinks) in ((int, float, int)[])[(0, 0, 0), (70, 0, 0), (5, 3, 0), (100, 0, 4), (1, 0, 40)])
            {
                var type = (DType)(heads % 3);
                var fixture = new AttentionFixture(context, type, heads, kvHeads, headDim, 330, heads);
                var spec = new AttentionSpec(heads, 0.3f, window, cap, sinks);
                using (fixture)
                {
                    fixture.Write(0, 330);
                    Close(fixture.Expected(spec, 300, 30), fixture.Attend(spec, 300, 30));
                    Close(fixture.Expected(spec, 329, 1), fixture.Attend(spec, 329, 1));
                    Close(fixture.Expected(spec, 0, 3), fixture.Attend(spec, 0, 3));
                    var biased = spec with { Slopes = [.. TestData.Normal(9, heads).Select(v => Math.Abs(v) / 8)], SinkTokens = 0 };
                    Close(fixture.Expected(biased, 300, 30), fixture.Attend(biased, 300, 30));
                    Close(fixture.Expected(biased, 329, 1), fixture.Attend(biased, 329, 1));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(TestData.SetNames), MemberType = typeof(TestData))]
    public void AllKeysAreSeenAndBiasedByDistance(string set)
    {
        using var context = TestData.Context(set);
        foreach (var (heads, kvHeads, reach) in ((int, int, int)[])[(4, 2, 5), (6, 1, 300), (3, 3, 0)])
        {
            using var fixture = new AttentionFixture(context, DType.F32, heads, kvHeads, 20, 600, heads);
            fixture.Write(0, 600);
            var causal = new AttentionSpec(heads, 0.3f, Biases: TestData.Normal(8, heads * (2 * reach + 1)));
            foreach (var spec in (AttentionSpec[])[causal, causal with { All = true }, causal with { All = true, Biases = null }])
            {
                Close(fixture.Expected(spec, 0, 600), fixture.Attend(spec, 0, 600));
                Close(fixture.Expected(spec, 290, 1), fixture.Attend(spec, 290, 1));
            }
        }
    }

    [Theory]
    [MemberData(nameof(TestData.SetNames), MemberType = typeof(TestData))]
    public void ChunksBatchesBlocksAndThreadsDoNotChangeABit(string set)
    {
        foreach (var (window, sinks) in ((int, int)[])[(0, 0), (300, 0), (65, 3)])
        {
            var spec = new AttentionSpec(6, 0.25f, window, 0, sinks);
            const int Tokens = 777;
            using var one = TestData.Context(set, 1);
            using var fixture = new AttentionFixture(one, DType.BF16, 6, 2, 40, Tokens, 1);
            fixture.Write(0, Tokens);
            var whole = TestData.Bits(fixture.Attend(spec, 0, Tokens));
            using var three = TestData.Context(set, 3);
            using var other = new AttentionFixture(three, DType.BF16, 6, 2, 40, Tokens, 99);
            foreach (var chunk in (int[])[1, 7, 64, 500])
            {
                for (var start = 0; start < Tokens; start += chunk)
                {
                    var rows = Math.Min(chunk, Tokens - start);
                    if (chunk > 1 || start % 37 == 0 || start > Tokens - 3)
                    {
                        other.Write(start, rows);
                        var part = TestData.Bits(other.Attend(spec, start, rows));
                        Assert.Equal(whole[(start * 240)..((start + rows) * 240)], part);
                    }
                    else
                    {
                        other.Write(start, rows);
                    }
                }
            }
        }
    }

    [Fact]
    public void SequencesOfABatchDoNotSeeEachOther()
    {
        using var context = TestData.Context("512");
        using var fixture = new AttentionFixture(context, DType.F16, 4, 2, 16, 600, 5);
        fixture.Write(0, 600);
        var spec = new AttentionSpec(4, 0.5f);
        KvSpan[] spans = [new(0, 1, 599, 0), new(1, 40, 100, 0), new(41, 0, 7, 0), new(41, 1, 0, 0), new(42, 3, 300, 0)];
        var queries = spans.SelectMany(s => fixture.Queries.AsSpan(s.Start * 64, s.Rows * 64).ToArray()).ToArray();
        var output = new float[queries.Length];
        PagedAttention.Compute(context, spec, queries, fixture.Pool, 1, spans, fixture.Table, output);
        foreach (var s in spans.Where(s => s.Rows > 0))
        {
            Assert.Equal(TestData.Bits(fixture.Attend(spec, s.Start, s.Rows)),
                TestData.Bits(output.AsSpan(s.FirstRow * 64, s.Rows * 64)));
        }
    }

    [Fact]
    public void BlocksBeforeTheWindowNeedNotExist()
    {
        using var context = TestData.Context("512");
        using var fixture = new AttentionFixture(context, DType.F32, 2, 1, 16, 500, 5);
        fixture.Write(0, 500);
        var spec = new AttentionSpec(2, 0.5f, Window: 100);
        var expected = TestData.Bits(fixture.Attend(spec, 480, 20));
        fixture.Table.AsSpan(0, (480 - 99) / KvLayout.BlockTokens).Fill(-1);
        Assert.Equal(expected, TestData.Bits(fixture.Attend(spec, 480, 20)));
        fixture.Table[^1] = 1000;
        Assert.Throws<ArgumentException>(() => fixture.Attend(spec, 480, 20));
    }

    [Fact]
    public void StepsAllocateNothing()
    {
        using var context = TestData.Context("512");
        using var fixture = new AttentionFixture(context, DType.BF16, 4, 2, 16, 600, 5);
        var (spec, output) = (new AttentionSpec(4, 0.5f), new float[64]);
        KvSpan[] spans = [new(0, 1, 599, 0)];
        long before = 0;
        for (var i = 0; i < 3; i++)
        {
            before = GC.GetAllocatedBytesForCurrentThread();
            KvWrite.Compute(context, fixture.Pool, 0, fixture.Keys.AsSpan(0, 32), fixture.Values.AsSpan(0, 32), spans,
                fixture.Table);
            PagedAttention.Compute(context, spec, fixture.Queries.AsSpan(0, 64), fixture.Pool, 0, spans, fixture.Table, output);
        }
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    static void Close(double[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], 1e-5);
        }
    }
}
