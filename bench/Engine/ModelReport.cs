using System.Diagnostics;
using Hearth.Kernels.Bench;

namespace Hearth.Engine.Bench;

/// <summary>The whole forward pass against what the machine can do, each with probes just before and after it.</summary>
sealed class ModelReport(ModelRig rig)
{
    const int Rounds = 9, DecodeSteps = 4, DepthTokens = 4096;

    /// <summary>Weights read per second by decoding one sequence, against plain reads of the same bytes.</summary>
    public void Decode()
    {
        var (share, rate, probe) = (new Samples("P0"), new Samples("F1"), new Samples("F1"));
        Times(2, () => rig.Step(1, 1, 0));
        for (var round = 0; round < Rounds; round++)
        {
            var before = Probes.Read(rig.Context.Pool, rig.Weights);
            var tokens = DecodeSteps / Clock.Time(() => Times(DecodeSteps, () => rig.Step(1, 1, 0)));
            var after = Probes.Read(rig.Context.Pool, rig.Weights);
            share.Add(2 * tokens * rig.Weights.Length / 1e9 / (before + after));
            rate.Add(tokens);
            probe.Add((before + after) / 2);
        }
        Console.WriteLine($"decode: {rate} tokens/s, read probe {probe} GB/s, share {share}");
    }

    /// <summary>A prompt of 512 tokens, against the f32 multiply-add rate.</summary>
    public void Prefill()
    {
        var (share, rate, peak) = (new Samples("P0"), new Samples("F1"), new Samples("F0"));
        rig.Step(1, 512, 0);
        for (var round = 0; round < Rounds; round++)
        {
            var before = Probes.Fma(rig.Context.Pool);
            var seconds = Clock.Time(() => rig.Step(1, 512, 0));
            var after = Probes.Fma(rig.Context.Pool);
            share.Add(2 * 512 * rig.FlopsPerToken / seconds / 1e9 / (before + after));
            rate.Add(512 / seconds);
            peak.Add((before + after) / 2);
        }
        Console.WriteLine($"prefill of 512: {rate} tokens/s, f32 peak {peak} GFLOP/s, share {share} (attention and head not counted as work)");
    }

    /// <summary>What 4,096 tokens of history add to a decode step, as bytes of keys and values per second.</summary>
    public void Depth()
    {
        rig.Fill(DepthTokens);
        var bytes = rig.Layout.ExportBytes(DepthTokens);
        var (share, rate, probe, added) = (new Samples("P0"), new Samples("F1"), new Samples("F1"), new Samples("F2"));
        for (var round = 0; round < Rounds; round++)
        {
            var before = Probes.Read(rig.Context.Pool, rig.Weights);
            var shallow = Clock.Time(() => Times(DecodeSteps, () => rig.Step(1, 1, 0))) / DecodeSteps;
            rig.Fill(32);
            var deep = Clock.Time(() => Times(DecodeSteps, () => rig.Step(1, 1, DepthTokens))) / DecodeSteps;
            var after = Probes.Read(rig.Context.Pool, rig.Weights);
            var speed = bytes / (deep - shallow) / 1e9;
            share.Add(2 * speed / (before + after));
            rate.Add(speed);
            probe.Add((before + after) / 2);
            added.Add((deep - shallow) * 1e3);
        }
        Console.WriteLine(
            $"{DepthTokens} tokens deep: {added} ms more per token, {rate} GB/s of keys and values, read probe {probe}, share {share}");
    }

    /// <summary>A turn's new tokens after so much history: what the history's own attention costs.</summary>
    public void History()
    {
        const int rows = 48;
        rig.Fill(DepthTokens);
        foreach (var start in (int[])[0, 500, 1000, 2000, 4000])
        {
            var (ratio, millis) = (new Samples("F2"), new Samples("F0"));
            for (var round = 0; round < Rounds; round++)
            {
                var first = Clock.Time(() => rig.Step(1, rows, 0));
                var later = Clock.Time(() => rig.Step(1, rows, start));
                ratio.Add(later / first);
                millis.Add(later * 1e3);
            }
            Console.WriteLine($"{rows} new tokens after {start}: {millis} ms, {ratio} x without history");
        }
    }

    /// <summary>Aggregate rate of many sequences against one.</summary>
    public void Batch()
    {
        foreach (var sequences in (int[])[4, 16])
        {
            var (ratio, rate) = (new Samples("F2"), new Samples("F1"));
            rig.Step(sequences, 1, 0);
            for (var round = 0; round < Rounds; round++)
            {
                var one = Clock.Time(() => Times(DecodeSteps, () => rig.Step(1, 1, 0)));
                var many = Clock.Time(() => Times(DecodeSteps, () => rig.Step(sequences, 1, 0)));
                ratio.Add(sequences * one / many);
                rate.Add(sequences * DecodeSteps / many);
            }
            Console.WriteLine($"{sequences} sequences at once: {rate} tokens/s, {ratio} x one");
        }
    }

    /// <summary>Decoding beside one busy process of somebody else.</summary>
    public void Hog()
    {
        var (kept, quietRate, busyRate) = (new Samples("P0"), new Samples("F1"), new Samples("F1"));
        for (var round = 0; round < Rounds; round++)
        {
            var quiet = DecodeSteps / Clock.Time(() => Times(DecodeSteps, () => rig.Step(1, 1, 0)));
            double busy;
            using (var hog = Process.Start("sh", ["-c", "while :; do :; done"]))
            {
                busy = DecodeSteps / Clock.Time(() => Times(DecodeSteps, () => rig.Step(1, 1, 0)));
                hog.Kill();
                hog.WaitForExit();
            }
            kept.Add(busy / quiet);
            quietRate.Add(quiet);
            busyRate.Add(busy);
        }
        Console.WriteLine($"beside one busy process: {busyRate} of {quietRate} tokens/s, kept {kept}");
    }

    static void Times(int count, Action action)
    {
        for (var i = 0; i < count; i++)
        {
            action();
        }
    }
}
