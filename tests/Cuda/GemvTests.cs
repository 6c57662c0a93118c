using Xunit;

namespace Hearth.Cuda.Tests;

public sealed class GemvTests
{
    public static TheoryData<string> Types => Data.Types;

    [Theory]
    [MemberData(nameof(Types))]
    public void ThreeMapsOfTheSameRowsAreThoseOfDoubles(string type)
    {
        foreach (var (k, rows) in ((int, int)[])[(256, 1), (1288, 3), (77, 7), (8, 8)])
        {
            int[] n = [5, 1, 6];
            var weights = n.Select((count, i) => Data.Normal(i, count * k)).ToArray();
            var (source, bias, before) = (Data.Normal(5, rows * k), Data.Normal(6, n[0]), Data.Normal(7, rows * n[2]));
            var targets = new[] { new Output<float>(rows * n[0]), new Output<float>(rows * n[1]), new Output<float>(before) };
            KernelRun.Launch($"gemv_{type}", (3, 1, 1), 128, 0, Data.Stored(type, weights[0]), Data.Stored(type, weights[1]),
                Data.Stored(type, weights[2]), bias, null, null, targets[0], targets[1], targets[2], source, n[0], n[1], n[2], k,
                rows, 4);
            for (var map = 0; map < 3; map++)
            {
                var expected = Product(Data.Rounded(type, weights[map]), source, n[map], k, rows);
                for (var i = 0; i < expected.Length; i++)
                    expected[i] += map == 0 ? bias[i % n[0]] : map == 2 ? before[i] : 0;
                Data.Near(expected, targets[map].Values, 2e-5);
            }
        }
    }

    [Fact]
    public void ARowsResultDoesNotDependOnTheOthers()
    {
        const int N = 6, K = 2056, Rows = 8;
        var (weights, source) = (Data.Stored("bf16", Data.Normal(1, N * K)), Data.Normal(2, Rows * K));
        float[] Run(float[] x)
        {
            var target = new Output<float>(x.Length / K * N);
            KernelRun.Launch("gemv_bf16", (2, 1, 1), 128, 0, weights, null, null, null, null, null, target, null, null, x, N, 0,
                0, K,
                x.Length / K, 0);
            return target.Values!;
        }
        var all = Run(source);
        for (var row = 0; row < Rows; row++)
            Assert.Equal(all[(row * N)..((row + 1) * N)], Run(source[(row * K)..((row + 1) * K)]));
    }

    public static double[] Product(float[] weights, float[] source, int n, int k, int rows)
    {
        var result = new double[rows * n];
        for (var i = 0; i < result.Length; i++)
        {
            for (var j = 0; j < k; j++)
                result[i] += (double)weights[i % n * k + j] * source[i / n * k + j];
        }
        return result;
    }
}
