using Xunit;

namespace Hearth.Kernels.Tests;

public class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void EveryChunkRunsExactlyOnceInEveryRun(int threads)
    {
        using var pool = new WorkerPool(threads);
        for (var run = 0; run < 20_000; run++)
        {
            var counts = new int[run % 11];
            pool.Run(new Count(counts), counts.Length);
            Assert.All(counts, count => Assert.Equal(1, count));
        }
    }

    /// <summary>A worker late for a short run must not take the next, longer one for its rest.</summary>
    [Fact]
    public void ALongRunAfterAShortOneIsNotBegunEarly()
    {
        using var pool = new WorkerPool(4);
        int[] few = new int[2], many = new int[64];
        for (var run = 1; run <= 100_000; run++)
        {
            pool.Run(new Count(few), few.Length);
            pool.Run(new Count(many), many.Length);
            Assert.True(few.AsSpan().IndexOfAnyExcept(run) < 0 && many.AsSpan().IndexOfAnyExcept(run) < 0);
        }
    }

    [Fact]
    public void AnExceptionInAChunkReachesTheCallerAndThePoolGoesOn()
    {
        using var pool = new WorkerPool(3);
        for (var i = 0; i < 100; i++)
        {
            Assert.Throws<InvalidDataException>(() => pool.Run(new Fail(7), 16));
            var counts = new int[16];
            pool.Run(new Count(counts), 16);
            Assert.All(counts, count => Assert.Equal(1, count));
        }
    }

    [Fact]
    public void AJobMustNotStartAnotherRun()
    {
        using var pool = new WorkerPool(2);
        Assert.Throws<InvalidOperationException>(() => pool.Run(new Nested(pool), 4));
    }

    [Fact]
    public void RunsAllocateNothing()
    {
        using var pool = new WorkerPool(2);
        var counts = new int[8];
        pool.Run(new Count(counts), 8);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            pool.Run(new Count(counts), 8);
        }
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    readonly struct Count(int[] counts) : IChunkJob
    {
        public void Execute(int chunk, int worker) => Interlocked.Increment(ref counts[chunk]);
    }

    readonly struct Fail(int at) : IChunkJob
    {
        public void Execute(int chunk, int worker)
        {
            if (chunk >= at)
            {
                throw new InvalidDataException($"chunk {chunk}");
            }
        }
    }

    readonly struct Nested(WorkerPool pool) : IChunkJob
    {
        public void Execute(int chunk, int worker) => pool.Run(new Count(new int[1]), 1);
    }
}
