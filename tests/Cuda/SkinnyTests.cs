using Xunit;

namespace Hearth.Cuda.Tests;

public sealed class SkinnyTests
{
    [Theory]
    [InlineData("bf16")]
    [InlineData("f16")]
    public void ThreeMapsOfTheSameRowsAreThoseOfDoubles(string type)
    {
        foreach (var (k, rows) in ((int, int)[])[(1088, 1), (40, 9), (264, 16), (520, 21)])
        {
            int[] n = [33, 16, 5];
            var weights = n.Select((count, i) => Data.Rounded(type, Data.Normal(i, count * k))).ToArray();
            var (source, bias) = (Data.Rounded(type, Data.Normal(5, rows * k)), Data.Normal(6, n[0]));
            var before = Data.Normal(7, rows * n[2]);
            var targets = new[] { new Output<float>(rows * n[0]), new Output<float>(rows * n[1]), new Output<float>(before) };
            KernelRun.Launch($"skinny_{type}", (5, (rows + 15) / 16, 1), 256, 0, Data.Stored(type, weights[0]),
                Data.Stored(type, weights[1]), Data.Stored(type, weights[2]), bias, null, null, targets[0], targets[1],
                targets[2], source,
                n[0], n[1], n[2], k, rows, 4);
            for (var map = 0; map < 3; map++)
            {
                var expected = GemvTests.Product(weights[map], source, n[map], k, rows);
                for (var i = 0; i < expected.Length; i++)
                    expected[i] += map == 0 ? bias[i % n[0]] : map == 2 ? before[i] : 0;
                Data.Near(expected, targets[map].Values, 2e-5);
            }
        }
    }

    [Fact]
    public void ARowsResultDoesNotDependOnTheOthers()
    {
        const int N = 20, K = 1096, Rows = 18;
        var (weights, source) = (Data.Stored("bf16", Data.Normal(1, N * K)), Data.Normal(2, Rows * K));
        float[] Run(float[] x)
        {
            var target = new Output<float>(x.Length / K * N);
            KernelRun.Launch("skinny_bf16", (2, (x.Length / K + 15) / 16, 1), 256, 0, weights, null, null, null, null, null,
                target, null,
                null, x, N, 0, 0, K, x.Length / K, 0);
            return target.Values!;
        }
        var all = Run(source);
        foreach (var (from, to) in ((int, int)[])[(0, 1), (3, 8), (5, 17), (17, 18)])
            Assert.Equal(all[(from * N)..(to * N)], Run(source[(from * K)..(to * K)]));
    }

    /// <summary>Weights as GGUF's blocks have them, repacked and multiplied.</summary>
    [Theory]
    [InlineData("q8", 34)]
    [InlineData("q4", 18)]
    [InlineData("q4_min", 20)]
    public void WeightsInBlocksAreThoseOfDoubles(string format, int blockBytes)
    {
        var nibbles = format != "q8";
        var piece = nibbles ? 128 : 64;
        foreach (var (n, k, rows) in ((int, int, int)[])[(18, 96, 1), (16, 608, 11), (5, 1280, 17)])
        {
            var (groups, padded) = (k / 32, (k + piece - 1) / piece * piece);
            var blocks = new byte[n * groups * blockBytes];
            new Random(k).NextBytes(blocks);
            var weights = new float[n * k];
            for (var block = 0; block < n * groups; block++)
                Block(format, blocks.AsSpan(block * blockBytes, blockBytes), weights.AsSpan(block * 32, 32));

            var quants = new Output<byte>(n * padded / (nibbles ? 2 : 1));
            var (scales, minima) = (new Output<ushort>(n * padded / 32),
                format == "q4_min" ? new Output<ushort>(n * padded / 32) : null);
            KernelRun.Launch($"repack_{format}", (3, 1, 1), 128, 0, blocks, quants, scales, minima, n, k);
            var (source, bias) = (Data.Rounded("bf16", Data.Normal(1, rows * k)), Data.Normal(2, n));
            var before = Data.Normal(3, rows * n);
            var target = new Output<float>(before);
            KernelRun.Launch(nibbles ? "skinny_q4" : "skinny_q8", ((n + 15) / 16, (rows + 15) / 16, 1), 256, 0, quants.Values,
                scales.Values, minima?.Values, bias, target, source, n, k, rows, 1);
            var expected = GemvTests.Product(weights, source, n, k, rows);
            for (var i = 0; i < expected.Length; i++)
                expected[i] += bias[i % n] + before[i];
            Data.Near(expected, target.Values, 1e-4);
        }
    }

    static void Block(string format, Span<byte> block, Span<float> weights)
    {
        // Random bytes make wild scales: these are tame.
        var scale = (Half)(0.01f + block[0] / 1000f);
        var minimum = (Half)(block[1] / 500f - 0.2f);
        BitConverter.TryWriteBytes(block, scale);
        if (format == "q4_min")
            BitConverter.TryWriteBytes(block[2..], minimum);
        for (var i = 0; i < 32; i++)
        {
            weights[i] = format switch
            {
                "q8" => (float)scale * (sbyte)block[2 + i],
                "q4" => (float)scale * ((block[2 + i % 16] >> i / 16 * 4 & 15) - 8),
                _ => (float)scale * (block[4 + i % 16] >> i / 16 * 4 & 15) + (float)minimum,
            };
        }
    }
}
