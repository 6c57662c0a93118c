using System.Globalization;
using System.Text.Json;
using Hearth.Engine.Checkpoints;
using Hearth.Kernels;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>What rounding the weights costs. With HEARTH_WRITE_DOCS=1 the table in docs/fidelity.md is written anew.</summary>
public sealed class WeightTypeTests
{
    const string Begin = "<!-- weights: written by WeightTypeTests -->", End = "<!-- end of weights -->";

    [Fact]
    public void RoundedWeightsCostWhatTheDocumentSays()
    {
        var rows = new List<string>();
        foreach (var (name, goldenMax, demoMax) in new[] { ("q8", 0.15, 0.05), ("q4", 1.2, 0.5), ("f8", 0.5, 0.2) })
        {
            var all = new Errors();
            foreach (var model in ModelTests.Models.Select(m => m.Data))
            {
                using var reference = new Reference(GoldenFolder.At("models", model));
                using var folder = new TemporaryFolder();
                using var rig = Rounded(GoldenFolder.At("models", model), name, folder);
                var (logits, own) = (rig.Run((rig.Begin(), reference.InputIds)), new Errors());
                own.Add(rig, logits, reference.Tensor("logits"));
                all.Add(rig, logits, reference.Tensor("logits"));
                TestContext.Current.TestOutputHelper!.WriteLine($"{name} {model}: {own}");
            }
            var demo = Demo(name);
            rows.Add($"| {name} | {all} | {demo} |");
            TestContext.Current.TestOutputHelper!.WriteLine(rows[^1]);
            Assert.InRange(all.Rms, 0, goldenMax);
            Assert.InRange(demo.Rms, 0, demoMax);
        }
        if (Environment.GetEnvironmentVariable("HEARTH_WRITE_DOCS") == "1")
            WriteTable(rows);
    }

    /// <summary>Over the prompts and replies that the demo model's training code recorded.</summary>
    static Errors Demo(string name)
    {
        var directory = Path.Combine(GoldenFolder.Repository, "models", "demo");
        using var folder = new TemporaryFolder();
        using var plain = new Rig(directory);
        using var rounded = Rounded(directory, name, folder);
        var errors = new Errors();
        var golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(directory, "golden.json"))).RootElement;
        foreach (var item in golden.GetProperty("cases").EnumerateArray())
        {
            int[] ids = [.. Reference.Ids(item.GetProperty("prompt_ids")),
                .. Reference.Ids(item.GetProperty("output_ids_40_ignoring_eos"))];
            ids = ids[..Math.Min(ids.Length, 250)];
            errors.Add(plain, rounded.Run((rounded.Begin(), ids)), plain.Run((plain.Begin(), ids)));
        }
        return errors;
    }

    static Rig Rounded(string directory, string name, TemporaryFolder folder)
    {
        if (name != "f8")
            return new Rig(directory, quantize: name == "q8" ? DType.Q8 : DType.Q4);
        WriteF8(directory, folder);
        return new Rig(folder.Path);
    }

    /// <summary>Every linear map in f8 with a scale per row; embeddings, head and what is stored turned stay.</summary>
    static void WriteF8(string directory, TemporaryFolder folder)
    {
        File.Copy(Path.Combine(directory, "config.json"), folder.At("config.json"));
        using var checkpoint = Checkpoint.Open(directory);
        using var context = new KernelContext(1);
        var writer = new SafetensorsWriter();
        foreach (var entry in checkpoint.Tensors)
        {
            var (data, shape) = (checkpoint.Tensor(entry.Name, entry.Shape).Data, entry.Shape.Select(e => (int)e).ToArray());
            if (shape.Length != 2 || !entry.Name.Contains("_proj", StringComparison.Ordinal) || shape[0] == 1
                || entry.Name.StartsWith("transformer.", StringComparison.Ordinal))
            {
                writer.Add(entry.Name, entry.Type.ToString(), data.Bytes, shape);
                continue;
            }
            var values = Numbers.ToSingles(context, entry.Type.Weight()!.Value, data);
            float[] scales = [.. values.Chunk(shape[1]).Select(row => Math.Max(row.Max(MathF.Abs), 1e-30f) / 448)];
            writer.Add(entry.Name, "F8_E4M3", values.Select((v, i) => F8.Round(v / scales[i / shape[1]])).ToArray(), shape);
            writer.Add($"{entry.Name}_scale", "F32", scales, shape[0], 1);
        }
        writer.Write(folder.At("model.safetensors"));
    }

    static void WriteTable(List<string> rows)
    {
        var file = Path.Combine(GoldenFolder.Repository, "docs", "fidelity.md");
        var text = File.ReadAllText(file);
        var (from, to) = (text.IndexOf(Begin, StringComparison.Ordinal), text.IndexOf(End, StringComparison.Ordinal));
        Assert.True(from >= 0 && to > from, $"{file} lacks the lines '{Begin}' and '{End}'");
        string[] head =
        [
            Begin,
            "| weights | golden models: largest, RMS, other token | demo model: largest, RMS, other token |",
            "| --- | --- | --- |",
        ];
        File.WriteAllText(file, $"{text[..from]}{string.Join('\n', head.Concat(rows))}\n{text[to..]}");
    }

    /// <summary>Deviations of logits.</summary>
    sealed class Errors
    {
        double _squares;
        long _count;
        float _worst;
        int _changed, _tokens;

        public double Rms => Math.Sqrt(_squares / _count);

        public void Add(Rig rig, ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
        {
            _worst = Math.Max(_worst, Reference.Deviation(actual, expected));
            for (var i = 0; i < actual.Length; i++)
                _squares += Math.Pow(actual[i] - expected[i], 2);
            _count += actual.Length;
            for (var i = 0; i < actual.Length; i += rig.Vocabulary, _tokens++)
                _changed += rig.Best(actual.Slice(i, rig.Vocabulary)) == rig.Best(expected.Slice(i, rig.Vocabulary)) ? 0 : 1;
        }

        public override string ToString() =>
            string.Create(CultureInfo.InvariantCulture, $"{_worst:F2}, {Rms:F3}, {_changed} of {_tokens}");
    }
}
