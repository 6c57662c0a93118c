using System.Diagnostics;

namespace Hearth.Kernels.Bench;

/// <summary>The tables. Every share of a limit compares an operation with probes just before and after it.</summary>
static class Report
{
    const int Rounds = 9;

    public static void ForkJoin(KernelContext context)
    {
        var arrived = new Arrivals();
        var micros = new Samples("F2");
        for (var round = 0; round < Rounds * 10; round++)
        {
            micros.Add(Clock.Time(() =>
            {
                for (var i = 0; i < 1000; i++)
                {
                    arrived.Count = 0;
                    context.Pool.Run(new MeetingJob(arrived, context.Threads), context.Threads);
                }
            }) * 1e3);
        }
        Console.WriteLine($"fork and join, every thread taking part: {micros} us");
    }

    public static void Shapes(KernelContext context)
    {
        const long Bytes = 256L << 20;
        foreach (var type in Enum.GetValues<DType>())
        {
            using var memory = new NativeBuffer(Bytes);
            memory.AsSpan<byte>().Fill(17);
            foreach (var (n, k) in ((int, int)[])[(2048, 2048), (8192, 2048), (2048, 8192), (128_256, 2048)])
            {
                var bytes = n * type.RowBytes(k);
                var rows = bytes > Bytes ? (int)(Bytes / type.RowBytes(k)) : n;
                bytes = rows * type.RowBytes(k);
                var views = new MatrixView[Bytes / bytes];
                for (var i = 0; i < views.Length; i++)
                {
                    views[i] = new MatrixView(memory.Memory.Slice(i * bytes, bytes), type, rows, k);
                }
                var (a, c) = (new float[k], new float[rows]);
                Streaming(context, $"one row x [{n}, {k}] {type}", memory.Memory.Slice(0, views.Length * bytes), () =>
                {
                    foreach (var view in views)
                    {
                        MatMul.Compute(context, a, 1, new Product(view, c));
                    }
                });
            }
        }
    }

    /// <summary>What decoding a format costs where memory costs nothing: one thread, weights in the second-level cache.</summary>
    public static void Formats(KernelContext context)
    {
        const int Columns = 2048, Rows = 128, Times = 200;
        using var one = new KernelContext(1, context.Kernels);
        foreach (var type in Enum.GetValues<DType>())
        {
            var (a, c) = (new float[Columns], new float[Rows]);
            var numbers = Llama1B.Numbers(type, Rows * Columns);
            using var memory = new NativeBuffer(numbers.Length);
            numbers.CopyTo(memory.AsSpan<byte>());
            var view = new MatrixView(memory.Memory, type, Rows, Columns);
            var (bytes, weights) = (new Samples("F1"), new Samples("F1"));
            for (var round = 0; round < Rounds; round++)
            {
                var seconds = Clock.Time(() => Report.Times(Times, () => MatMul.Compute(one, a, 1, new Product(view, c))));
                bytes.Add(Times * (double)numbers.Length / seconds / 1e9);
                weights.Add(Times * (double)Rows * Columns / seconds / 1e9);
            }
            Console.WriteLine($"one row, one thread, {type} in cache: {bytes} GB/s, {weights} G weights/s");
        }
    }

    public static void Decode(KernelContext context)
    {
        foreach (var type in (DType[])[DType.BF16, DType.Q8, DType.Q4, DType.F8E4M3, DType.Q4K, DType.Q6K])
        {
            using var model = new Llama1B(type, 1);
            Streaming(context, $"decode, 1.2B {type}, all products", model.Memory, () => model.Step(context, 1));
        }
    }

    public static void Batch(KernelContext context)
    {
        using var model = new Llama1B(DType.BF16, 32);
        foreach (var m in (int[])[2, 4, 8, 16, 32])
        {
            var ratio = new Samples("F2");
            var rate = new Samples("F1");
            model.Step(context, m);
            for (var round = 0; round < 4; round++)
            {
                var one = Clock.Time(() => model.Step(context, 1));
                var many = Clock.Time(() => model.Step(context, m));
                ratio.Add(m * one / many);
                rate.Add(m / many);
            }
            Console.WriteLine($"{m} sequences at once, 1.2B bf16: {rate} tokens/s, {ratio} x one");
        }
    }

    public static void Prefill(KernelContext context)
    {
        foreach (var type in (DType[])[DType.BF16, DType.F16, DType.F32, DType.Q8, DType.Q4])
        {
            using var model = new Llama1B(type, 512, 1, false);
            foreach (var m in (int[])[512, 64])
            {
                var (share, rate, peak) = (new Samples("P0"), new Samples("F0"), new Samples("F0"));
                model.Step(context, m);
                for (var round = 0; round < Rounds; round++)
                {
                    var before = Probes.Fma(context.Pool);
                    var flops = m * model.Flops / Clock.Time(() => model.Step(context, m)) / 1e9;
                    var after = Probes.Fma(context.Pool);
                    share.Add(2 * flops / (before + after));
                    rate.Add(flops);
                    peak.Add((before + after) / 2);
                }
                Console.WriteLine($"{m} rows, one layer of 1.2B {type}: {rate} GFLOP/s, peak {peak}, share {share}");
            }
        }
    }

    public static void KeyValues(KernelContext context)
    {
        foreach (var type in Enum.GetValues<DType>().Where(type => type.IsWide()))
        {
            KvBench.Run(context, type, 32, 8, 64);
        }
        KvBench.Run(context, DType.BF16, 12, 12, 64);
    }

    public static void Hog(KernelContext context)
    {
        using var model = new Llama1B(DType.BF16, 1);
        model.Step(context, 1);
        var (kept, quietRate, busyRate) = (new Samples("P0"), new Samples("F1"), new Samples("F1"));
        for (var round = 0; round < 4; round++)
        {
            var quiet = 5 / Clock.Time(() => Times(5, () => model.Step(context, 1)));
            double busy;
            using (var hog = Process.Start("sh", ["-c", "while :; do :; done"]))
            {
                busy = 5 / Clock.Time(() => Times(5, () => model.Step(context, 1)));
                hog.Kill();
                hog.WaitForExit();
            }
            kept.Add(busy / quiet);
            quietRate.Add(quiet);
            busyRate.Add(busy);
        }
        Console.WriteLine($"decode beside one busy process: {busyRate} of {quietRate} tokens/s, kept {kept}");
    }

    public static void Streaming(KernelContext context, string name, TensorMemory bytes, Action run)
    {
        var (share, rate, probe) = (new Samples("P0"), new Samples("F1"), new Samples("F1"));
        run();
        for (var round = 0; round < Rounds; round++)
        {
            var before = Probes.Read(context.Pool, bytes);
            var speed = bytes.Length / Clock.Time(run) / 1e9;
            var after = Probes.Read(context.Pool, bytes);
            share.Add(2 * speed / (before + after));
            rate.Add(speed);
            probe.Add((before + after) / 2);
        }
        Console.WriteLine($"{name}: {rate} GB/s, read probe {probe}, share {share}");
    }

    static void Times(int count, Action action)
    {
        for (var i = 0; i < count; i++)
        {
            action();
        }
    }

    sealed class Arrivals
    {
        public int Count;
    }

    /// <summary>A chunk ends when every thread holds one, so that no thread can take them all.</summary>
    readonly struct MeetingJob(Arrivals arrived, int threads) : IChunkJob
    {
        public void Execute(int chunk, int worker)
        {
            Interlocked.Increment(ref arrived.Count);
            while (Volatile.Read(ref arrived.Count) < threads)
            {
                Thread.SpinWait(1);
            }
        }
    }
}
