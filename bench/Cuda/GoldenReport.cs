using System.Runtime.InteropServices;
using System.Numerics.Tensors;
using System.Text.Json;
using Hearth.Engine.Checkpoints;
using Hearth.Engine.Devices;
using Hearth.Kernels;

namespace Hearth.Cuda.Bench;

/// <summary>The golden models on the card: f32 within 1e-4, as served within 2e-2, greedy tokens equal.</summary>
static class GoldenReport
{
    const float Exact = 1e-4f, Rounded = 2e-2f;
    const int BlocksMax = 16, RowsMax = 256, Steps = 12;

    public static void Run(string folder, int ordinal, Table table)
    {
        table.Section($"Golden models of {folder}");
        foreach (var directory in Directory.GetDirectories(folder).Order(StringComparer.Ordinal))
        {
            var name = Path.GetFileName(directory);
            try
            {
                var (exact, tokens) = Compare(directory, ordinal, new CudaOptions { Exact = true });
                var (rounded, _) = Compare(directory, ordinal, new CudaOptions());
                table.Check(name, exact <= Exact && tokens && rounded <= Rounded,
                    $"f32 {exact:0.0e0}, as served {rounded:0.0e0}, greedy tokens {(tokens ? "equal" : "DIFFER")}");
            }
            catch (CheckpointException error)
            {
                table.Note(name, error.Message);
            }
        }
    }

    static (float Deviation, bool AreTokensEqual) Compare(string directory, int ordinal, CudaOptions options)
    {
        using var tensors = SafetensorsFile.Open(Path.Combine(directory, "reference.safetensors"));
        var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(directory, "reference.json"))).RootElement;
        using var rig = new CardRig(directory, DType.F32, ordinal, BlocksMax, RowsMax, 1, options);
        var ids = Ids(json.GetProperty("input_ids"));
        var logits = rig.Prompt(ids);
        var expected = Tensor(tensors, "logits");
        // Rounded products are compared with the largest logit.
        var deviation = Deviation(logits, expected) / (options.Exact ? 1 : TensorPrimitives.MaxMagnitude(expected));
        var greedy = Ids(json.GetProperty("greedy").GetProperty("tokens"));
        var (last, equal) = (logits[^(logits.Length / ids.Length)..], true);
        for (var i = 0; i < Math.Min(Steps, greedy.Length); i++)
        {
            equal &= last.AsSpan().IndexOf(last.Max()) == greedy[i];
            last = rig.Next(greedy[i], ids.Length + i);
        }
        return (deviation, equal);
    }

    static float Deviation(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        var worst = actual.Length == expected.Length ? 0f : float.PositiveInfinity;
        for (var i = 0; i < Math.Min(actual.Length, expected.Length); i++)
        {
            var difference = MathF.Abs(actual[i] - expected[i]);
            worst = difference <= worst ? worst : float.IsNaN(difference) ? float.PositiveInfinity : difference;
        }
        return worst;
    }

    static ReadOnlySpan<float> Tensor(SafetensorsFile file, string name) =>
        MemoryMarshal.Cast<byte, float>(file.Data(file.Find(name)!).Bytes);

    static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(e => e.GetInt32())];
}
