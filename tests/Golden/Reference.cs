using System.Runtime.InteropServices;
using System.Text.Json;
using Hearth.Engine.Checkpoints;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>What transformers gives for a model: reference.json and the tensors of reference.safetensors (f32).</summary>
sealed class Reference : IDisposable
{
    readonly SafetensorsFile _tensors;

    public Reference(string directory)
    {
        Json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(directory, "reference.json"))).RootElement;
        _tensors = SafetensorsFile.Open(Path.Combine(directory, "reference.safetensors"));
    }

    public JsonElement Json { get; }

    public int[] InputIds => Ids(Json.GetProperty("input_ids"));

    public float[] Tensor(string name)
    {
        var entry = _tensors.Find(name) ?? throw new InvalidOperationException($"no tensor {name} in the reference");
        return MemoryMarshal.Cast<byte, float>(_tensors.Data(entry).Bytes).ToArray();
    }

    public static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(e => e.GetInt32())];

    /// <summary>Largest absolute difference; NaN counts as infinite.</summary>
    public static float Deviation(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        Assert.Equal(expected.Length, actual.Length);
        var worst = 0f;
        for (var i = 0; i < actual.Length; i++)
        {
            var difference = MathF.Abs(actual[i] - expected[i]);
            worst = difference <= worst ? worst : float.IsNaN(difference) ? float.PositiveInfinity : difference;
        }
        return worst;
    }

    public void Dispose() => _tensors.Dispose();
}
