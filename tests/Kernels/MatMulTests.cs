using Xunit;

namespace Hearth.Kernels.Tests;

public class MatMulTests
{
    [Theory]
    [MemberData(nameof(TestData.SetNames), MemberType = typeof(TestData))]
    public void EveryWidthAndTypeAgreesWithDoubles(string set)
    {
        using var context = TestData.Context(set);
        foreach (var type in Enum.GetValues<DType>())
        {
            foreach (var (m, n, k) in ((int, int, int)[])[(0, 3, 5), (1, 1, 1), (1, 13, 17), (2, 7, 16), (3, 1, 15), (5, 31, 97), (9, 50, 1031), (37, 11, 2049)])
            {
                Agrees(context, type, m, n, k);
            }
        }
    }

    static void Agrees(KernelContext context, DType type, int m, int n, int k)
    {
        var (a, bias, c) = (TestData.Normal(1, m * k), TestData.Normal(2, n), TestData.Normal(3, m * n));
        using var buffer = TestData.Store(type, TestData.Normal(4, n * k), out var memory);
        var w = TestData.Load(type, memory);
        var expected = new double[m * n];
        for (var i = 0; i < m * n; i++)
        {
            expected[i] = c[i] + (double)bias[i % n];
            for (var l = 0; l < k; l++)
            {
                expected[i] += (double)a[i / n * k + l] * w[i % n * k + l];
            }
        }
        MatMul.Compute(context, a, m, new Product(new MatrixView(memory, type, n, k), c, bias, accumulate: true));
        for (var i = 0; i < m * n; i++)
        {
            Assert.Equal(expected[i], c[i], 2e-6 * Math.Sqrt(k) * 5);
        }
    }
}
