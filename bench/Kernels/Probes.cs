using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Hearth.Kernels.Bench;

/// <summary>What the machine can do, measured beside what the kernels do: plain reads, and multiply-adds in registers.</summary>
static class Probes
{
    /// <summary>Gigabytes per second of reading all of the memory once, on every thread of the pool.</summary>
    public static double Read(WorkerPool pool, TensorMemory memory)
    {
        var job = new ReadJob(memory, new long[pool.Threads * 16]);
        var chunks = (int)(memory.Length / ReadJob.ChunkBytes);
        var seconds = Clock.Time(() => pool.Run(job, chunks));
        return (double)chunks * ReadJob.ChunkBytes / seconds / 1e9;
    }

    /// <summary>GFLOP/s of f32 fused multiply-adds on independent registers, on every thread of the pool.</summary>
    public static double Fma(WorkerPool pool)
    {
        var sums = new float[pool.Threads * 16];
        var job = new FmaJob(sums);
        const int Chunks = 256;
        var seconds = Clock.Time(() => pool.Run(job, Chunks));
        return (double)Chunks * FmaJob.Steps * FmaJob.Registers * 16 * 2 / seconds / 1e9;
    }

    readonly struct ReadJob(TensorMemory memory, long[] sums) : IChunkJob
    {
        public const int ChunkBytes = 256 << 10;

        public void Execute(int chunk, int worker)
        {
            ref var bytes = ref MemoryMarshal.GetReference(memory.Slice((long)chunk * ChunkBytes, ChunkBytes).Bytes);
            Vector512<byte> a = default, b = default, c = default, d = default;
            for (nuint i = 0; i < ChunkBytes; i += 256)
            {
                a ^= Vector512.LoadUnsafe(ref bytes, i);
                b ^= Vector512.LoadUnsafe(ref bytes, i + 64);
                c ^= Vector512.LoadUnsafe(ref bytes, i + 128);
                d ^= Vector512.LoadUnsafe(ref bytes, i + 192);
            }
            sums[worker * 16] += (a ^ b ^ c ^ d).AsInt64()[0];
        }
    }

    readonly struct FmaJob(float[] sums) : IChunkJob
    {
        public const int Steps = 40_000, Registers = 12;

        public void Execute(int chunk, int worker)
        {
            var x = Vector512.Create(1.0000001f);
            var y = Vector512.Create(1e-9f);
            Vector512<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
            for (var step = 0; step < Steps; step++)
            {
                a = Vector512.FusedMultiplyAdd(a, x, y);
                b = Vector512.FusedMultiplyAdd(b, x, y);
                c = Vector512.FusedMultiplyAdd(c, x, y);
                d = Vector512.FusedMultiplyAdd(d, x, y);
                e = Vector512.FusedMultiplyAdd(e, x, y);
                f = Vector512.FusedMultiplyAdd(f, x, y);
                g = Vector512.FusedMultiplyAdd(g, x, y);
                h = Vector512.FusedMultiplyAdd(h, x, y);
                i = Vector512.FusedMultiplyAdd(i, x, y);
                j = Vector512.FusedMultiplyAdd(j, x, y);
                k = Vector512.FusedMultiplyAdd(k, x, y);
                l = Vector512.FusedMultiplyAdd(l, x, y);
            }
            sums[worker * 16] += Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
        }
    }
}
