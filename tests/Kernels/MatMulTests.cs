using Xunit;

namespace Hearth.Kernels.Tests;

public class MatMulTests
{
    [Theory]
    [MemberData(nameof(TestData.SetNames), MemberType = typeof(TestData))]
    public void EveryWidthAndTypeAgreesWithDoubles(string set)
    {
        using var context = TestData.Context(set);
        foreach (var type in Enum.GetValues<DType>().Where(type => type.IsWide()))
        {
            foreach (var (m, n, k) in ((int, int, int)[])[(0, 3, 5), (1, 1, 1), (1, 13, 17), (2, 7, 16), (3, 1, 15), (5, 31, 97),
                (9, 50, 1031), (37, 11, 2049)])
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

    [Theory]
    [MemberData(nameof(TestData.SetNames), MemberType = typeof(TestData))]
    public void ARowIsTheSameToTheBitInABatchOfAnySize(string set)
    {
        foreach (var (type, n, k) in ((DType, int, int)[])[(DType.BF16, 67, 2085), (DType.F16, 129, 1024), (DType.F32, 31, 77),
            (DType.Q8, 33, 1056), (DType.Q4, 35, 2085), (DType.Q4K, 20, 2048), (DType.Q6K, 21, 1280),
            (DType.F8E4M3Scaled, 13, 300)])
        {
            using var one = TestData.Context(set, 1);
            using var three = TestData.Context(set, 3);
            const int Rows = 520;
            var (a, bias) = (TestData.Normal(1, Rows * k), TestData.Normal(2, n));
            using var buffer = type.IsWide()
                ? TestData.Store(type, TestData.Normal(4, n * k), out var memory) : PlainWeights.Store(type, 4, n, k, out memory);
            var w = new MatrixView(memory, type, n, k);
            var alone = new float[Rows * n];
            for (var row = 0; row < Rows; row++)
            {
                MatMul.Compute(one, a.AsSpan(row * k, k), 1, new Product(w, alone.AsSpan(row * n, n), bias));
            }
            foreach (var m in (int[])[2, 3, 4, 7, 33, 64, 512, 520])
            {
                var together = new float[m * n];
                MatMul.Compute(m % 2 == 0 ? one : three, a.AsSpan((Rows - m) * k, m * k), m, new Product(w, together, bias));
                Assert.Equal(TestData.Bits(alone.AsSpan((Rows - m) * n)), TestData.Bits(together));
            }
        }
    }

    [Fact]
    public void ProductsOfOneRunEqualThoseOfThree()
    {
        using var context = TestData.Context("512", 3);
        foreach (var m in (int[])[1, 5, 40])
        {
            const int K = 300;
            var a = TestData.Normal(1, m * K);
            using var buffer = TestData.Store(DType.BF16, TestData.Normal(4, 400 * K), out var memory);
            var w = new MatrixView(memory, DType.BF16, 400, K);
            int[] from = [0, 150, 170], sizes = [150, 20, 230];
            var (together, apart) = (sizes.Select(n => new float[m * n]).ToArray(),
                sizes.Select(n => new float[m * n]).ToArray());
            Product Part(float[][] results, int i) => new(w.SliceRows(from[i], sizes[i]), results[i]);
            MatMul.Compute(context, a, m, Part(together, 0), Part(together, 1), Part(together, 2));
            for (var i = 0; i < 3; i++)
            {
                MatMul.Compute(context, a, m, Part(apart, i));
                Assert.Equal(apart[i], together[i]);
            }
        }
    }

    [Fact]
    public void StepsAllocateNothing()
    {
        using var context = TestData.Context("512");
        using var buffer = TestData.Store(DType.BF16, TestData.Normal(4, 512 * 512), out var memory);
        var (a, c) = (new float[20 * 512], new float[20 * 512]);
        foreach (var m in (int[])[1, 20])
        {
            long before = 0;
            for (var i = 0; i < 3; i++)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
                MatMul.Compute(context, a.AsSpan(0, m * 512), m,
                    new Product(new MatrixView(memory, DType.BF16, 512, 512), c.AsSpan(0, m * 512)));
            }
            Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        }
    }
}
