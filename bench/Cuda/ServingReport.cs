using System.Diagnostics;
using Hearth.Engine.Devices;
using Hearth.Kernels;

namespace Hearth.Cuda.Bench;

/// <summary>A checkpoint as it is served: decode, prefill and spill, each with the share of the limit that bounds it.</summary>
static class ServingReport
{
    const int Rounds = 32, SpilledBlocks = 64;

    public static void Run(string directory, int ordinal, CardLimits limits, Table table, bool small)
    {
        foreach (var isDeterministic in (bool[])[false, true])
        {
            table.Section($"{Path.GetFileName(Path.TrimEndingDirectorySeparator(directory))}, " +
                (isDeterministic ? "deterministic" : "as it is served"));
            var (context, prompt, batch) = small ? (64, 64, 4) : (1024, 2048, 32);
            var blocks = Math.Max(batch * (context + Rounds + 64), prompt + 1) / KvLayout.BlockTokens + 1;
            var start = Stopwatch.GetTimestamp();
            using var rig = new CardRig(directory, DType.BF16, ordinal, blocks, prompt, batch,
                new CudaOptions { Deterministic = isDeterministic, Progress = line => table.Note("start", line) });
            table.Figure("weights to the card, kernels included", Stopwatch.GetElapsedTime(start).TotalSeconds, "s");
            Prefill(rig, prompt, limits, table);
            Decode(rig, 1, context, limits, table);
            Decode(rig, batch, context, limits, table);
            if (!isDeterministic)
                Spill(rig, limits, table);
        }
    }

    static void Prefill(CardRig rig, int tokens, CardLimits limits, Table table)
    {
        var seconds = Best(3, () => rig.Step(1, tokens, 0));
        // The head sees one row; attention is left out of the count.
        var flops = 2.0 * (rig.Model.Card.Parameters - (double)rig.Model.Card.VocabularySize * WidthOf(rig)) * tokens;
        table.Figure($"prefill, {tokens} tokens", tokens / seconds, "tokens/s");
        table.Figure("  of products", flops / seconds / 1e12, "TFLOP/s", limits.GemmTeraflops, "the bf16 product");
    }

    static void Decode(CardRig rig, int sequences, int context, CardLimits limits, Table table)
    {
        for (var i = 0; i < 4; i++)
            rig.Step(sequences, 1, context + i);
        var position = context + 4;
        var seconds = Best(Rounds, () => rig.Step(sequences, 1, position++));
        var bytes = rig.Model.WeightBytes + rig.Model.KvLayout.ExportBytes(1) * (double)context * sequences;
        table.Figure($"decode, {sequences} x {context} tokens", sequences / seconds, "tokens/s");
        table.Figure("  weights and cache read", bytes / seconds / 1e9, "GB/s", limits.MemoryGigabytes, "memory");
    }

    static void Spill(CardRig rig, CardLimits limits, Table table)
    {
        var bytes = new byte[rig.Model.KvLayout.ExportBytes(KvLayout.BlockTokens)];
        var count = Math.Min(SpilledBlocks, rig.Blocks.Length);
        var seconds = Best(3, () =>
        {
            for (var i = 0; i < count; i++)
                rig.Kv.Export(rig.Blocks[i], KvLayout.BlockTokens, bytes);
        });
        table.Figure("spill to memory that is not pinned", (double)count * bytes.Length / seconds / 1e9, "GB/s",
            limits.DownloadGigabytes, "the link");
    }

    static double WidthOf(CardRig rig) =>
        rig.Model.Tensors.Where(t => t.Name.EndsWith("norm.weight", StringComparison.Ordinal)).Max(t => t.Bytes) / 2.0;

    static double Best(int rounds, Action work)
    {
        var best = double.MaxValue;
        for (var i = 0; i < rounds; i++)
        {
            var start = Stopwatch.GetTimestamp();
            work();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return best;
    }
}
