using Hearth.Engine.Memory;
using Hearth.Kernels;
using Hearth.Kernels.Bench;

namespace Hearth.Engine.Bench;

/// <summary>What it costs to let a cache out of one engine and into another, on one core and by processor time, so that
/// a busy machine shows the same; nothing decodes.</summary>
static class CopyReport
{
    const int History = 2000;

    public static async Task RunAsync(string directory, DType type)
    {
        await using var rig = new MoveRig(directory, type, History);
        await rig.InventAsync(0, History);
        foreach (var most in (int[])[Limits.ChunkTokens, 128, 64, 32])
        {
            var (export, import, check) = (new Samples("F2"), new Samples("F2"), new Samples("F2"));
            for (var round = 0; round < 24; round++)
            {
                var (bytes, times) = await CopyAsync(rig, most);
                if (round < 4)
                    continue;
                export.Add(bytes / 1e9 / times[0]);
                import.Add(bytes / 1e9 / times[1]);
                check.Add(bytes / 1e9 / times[2]);
            }
            Console.WriteLine($"parts of {most} tokens, {most * rig.TokenBytes / 1e6:F1} MB: GB per second of a core: out {export}, "
                + $"in {import}, checksum alone {check}");
        }
    }

    /// <returns>Bytes; seconds for letting out, taking in, and summing once more.</returns>
    static async Task<(long Bytes, double[] Times)> CopyAsync(MoveRig rig, int most)
    {
        var (bytes, times) = (0L, new double[3]);
        for (var first = 0; first < History;)
        {
            var start = Cpu();
            using var part = (await rig.Engine(0).ExportPartAsync(MoveRig.Cache, first, most, default))!;
            times[0] += Cpu() - start;
            start = Cpu();
            await rig.ImportAsync(1, part);
            times[1] += Cpu() - start;
            start = Cpu();
            Crc32C.Compute(part.Blob.Span);
            times[2] += Cpu() - start;
            bytes += part.Blob.Length;
            first += part.Tokens;
        }
        await rig.Engine(1).DropAsync(MoveRig.Cache, default);
        return (bytes, times);
    }

    static double Cpu() => Environment.CpuUsage.TotalTime.TotalSeconds;
}
