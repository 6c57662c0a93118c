using System.Diagnostics;
using Hearth.Kernels;
using Hearth.Kernels.Bench;

namespace Hearth.Engine.Bench;

/// <summary>What a reader sees of a move in the middle of a reply: two engines in this process, the parts handed over as
/// they are.</summary>
static class MoveReport
{
    const int Settle = 8;

    public static async Task MoveAsync(string directory, DType type, int moves)
    {
        foreach (var history in (int[])[512, 2000, 8000])
        {
            await using var rig = new MoveRig(directory, type, history);
            await rig.InventAsync(0, history);
            rig.Submit(0, 200);
            await rig.ReadAsync(Settle);
            var (pauses, steps, beside, rate) = (new List<double>(), new List<double>(), new List<double>(), new Samples("F2"));
            for (var move = 0; move < moves; move++)
            {
                // The history begins anew every so often, else the context would end.
                if (rig.Known.Length > history + 120)
                {
                    rig.Suspend();
                    await rig.ReadAsync(int.MaxValue);
                    await DropAsync(rig);
                    await rig.InventAsync(move % 2, history);
                    rig.Submit(move % 2, 200);
                    await rig.ReadAsync(Settle);
                }

                rate.Add(await OneAsync(rig, move % 2, pauses, steps, beside));
            }

            await DropAsync(rig);
            Show(history, moves, pauses, steps, beside, rate);
        }
    }

    /// <summary>The first token after 2,000 of history: warm, restored from a store in memory, and computed anew.</summary>
    public static async Task RestoreAsync(string directory, DType type)
    {
        const int history = 2000;
        await using var rig = new MoveRig(directory, type, history);
        await rig.InventAsync(0, history);
        var spill = await rig.SpillAsync(0, history);
        var (warm, restored) = (new Samples("F0"), new Samples("F0"));
        for (var round = 0; round < 7; round++)
        {
            warm.Add(await rig.FirstTokenAsync(0, null));
            await rig.Engine(1).DropAsync(MoveRig.Cache, default);
            restored.Add(await rig.FirstTokenAsync(1, spill));
        }

        await rig.Engine(1).DropAsync(MoveRig.Cache, default);
        var computed = await rig.FirstTokenAsync(1, null);
        Console.WriteLine(
            $"first token after {history}: warm {warm} ms, restored from memory {restored} ms, computed {computed:F0} ms "
            + $"= {computed / restored.Median:F1} x restored; {history * (double)rig.TokenBytes / 1e6:F0} MB");
    }

    /// <returns>GB/s copied from engine to engine while the reply goes on.</returns>
    static async Task<double> OneAsync(MoveRig rig, int from, List<double> pauses, List<double> steps, List<double> beside)
    {
        AddGaps(await rig.ReadAsync(Settle), steps);
        var times = new List<double>();
        var (next, bytes, millis) = (0, 0L, 0.0);
        do
        {
            var before = next;
            var start = Stopwatch.GetTimestamp();
            (next, var copied) = await rig.CopyAsync(from, next, times);
            millis += Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            bytes += copied;
            times.AddRange(await rig.ReadAsync(1));
            if (next == before)
            {
                break;
            }
        }
        while (true);
        rig.Suspend();
        var last = await rig.ReadAsync(int.MaxValue);
        times.AddRange(last);
        await rig.CopyAsync(from, next, times);
        rig.Submit(1 - from, 200);
        var after = await rig.ReadAsync(1);
        pauses.Add(after[0] - times[^1]);
        AddGaps(times, beside);
        await rig.Engine(from).DropAsync(MoveRig.Cache, default);
        return bytes / 1e6 / millis;
    }

    static async Task DropAsync(MoveRig rig)
    {
        await rig.Engine(0).DropAsync(MoveRig.Cache, default);
        await rig.Engine(1).DropAsync(MoveRig.Cache, default);
    }

    static void AddGaps(List<double> times, List<double> gaps) => gaps.AddRange(times.Zip(times.Skip(1), (a, b) => b - a));

    static void Show(int history, int moves, List<double> pauses, List<double> steps, List<double> beside, Samples rate)
    {
        var step = At(steps, 0.5);
        Console.WriteLine(
            $"{history} tokens, {moves} moves: decode step p50 {step:F1} p99 {At(steps, 0.99):F1} ms, beside the copying p50 "
            + $"{At(beside, 0.5):F1} p99 {At(beside, 0.99):F1} ms, "
            + $"pause at the move p50 {At(pauses, 0.5):F1} p99 {At(pauses, 0.99):F1} ms "
            + $"= {At(pauses, 0.5) / step:F2} and {At(pauses, 0.99) / step:F2} steps; copied at {rate} GB/s");
    }

    static double At(List<double> values, double part)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? double.NaN : sorted[(int)Math.Min(sorted.Length - 1, Math.Floor(part * sorted.Length))];
    }
}
