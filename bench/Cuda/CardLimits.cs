using Hearth.Kernels;

namespace Hearth.Cuda.Bench;

/// <summary>What this card gives, measured: every other figure is a share of it.</summary>
sealed record CardLimits(double MemoryGigabytes, double DownloadGigabytes, double UploadGigabytes, double GemmTeraflops)
{
    const long CopyBytes = 1L << 30, LinkBytes = 256L << 20;
    const int Rounds = 10;

    /// <param name="small">A share of the work, to try the program itself.</param>
    public static CardLimits Measure(CudaCard card, Table table, bool small)
    {
        table.Section("Limits, measured");
        var (copy, link, size) = small ? (1L << 20, 1L << 20, 64) : (CopyBytes, LinkBytes, 8192);
        using var stream = new CudaStream(card.Context);
        using var one = new DeviceMemory(card.Context, copy);
        using var two = new DeviceMemory(card.Context, copy);
        using var host = new PinnedMemory(card.Context, link);
        var memory = 2 * copy / Seconds(stream, () => stream.Copy(two.Address, one.Address, copy)) / 1e9;
        var down = link / Seconds(stream, () => stream.Download(host, 0, one.Address, link)) / 1e9;
        var up = link / Seconds(stream, () => stream.Upload(one.Address, host, 0, link)) / 1e9;
        var flops = 2.0 * size * size * size / Seconds(stream, Product(card, stream, size)) / 1e12;
        table.Figure("memory, read and written by a copy", memory, "GB/s");
        table.Figure("card to machine, pinned", down, "GB/s");
        table.Figure("machine to card, pinned", up, "GB/s");
        table.Figure($"bf16 product of {size} x {size} x {size}", flops, "TFLOP/s");
        return new(memory, down, up, flops);
    }

    /// <summary>Mean time of some work, after it ran once.</summary>
    public static double Seconds(CudaStream stream, Action work)
    {
        using var start = new CudaEvent(stream.Context, timing: true);
        using var end = new CudaEvent(stream.Context, timing: true);
        work();
        start.Record(stream);
        for (var i = 0; i < Rounds; i++)
            work();
        end.Record(stream);
        end.Synchronize();
        return start.Until(end).TotalSeconds / Rounds;
    }

    /// <summary>Its memory and library handle live until the process ends.</summary>
    static Action Product(CudaCard card, CudaStream stream, int size)
    {
        var bytes = (long)size * size * sizeof(ushort);
        var (a, b, c) = (new DeviceMemory(card.Context, bytes), new DeviceMemory(card.Context, bytes),
            new DeviceMemory(card.Context, 2 * bytes));
        foreach (var memory in (DeviceMemory[])[a, b, c])
            stream.Clear(memory.Address, memory.Length);
        var gemm = new Gemm(stream, card.Cache, isDeterministic: false);
        var shape = new GemmShape(size, size, size, DType.BF16, DType.F32, false, false);
        return () => gemm.Multiply(shape, a.Address, 0, b.Address, c.Address);
    }
}
