using System.Runtime.InteropServices;
using System.Text.Json;
using Hearth.Engine.Checkpoints;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>What transformers gives for a model: reference.json and the tensors of reference.safetensors (f32).</summary>
sealed class Reference : IDisposable
{
    readonly SafetensorsFile _tensors;
    readonly string _directory;

    public Reference(string directory)
    {
        _directory = directory;
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

    public bool Has(string name) => _tensors.Find(name) is not null;

    public long[] Shape(string name) => [.. _tensors.Find(name)!.Shape];

    /// <summary>A layer's keys and values; gpt_bigcode's lie side by side in one tensor.</summary>
    public (ReferenceCache Keys, ReferenceCache Values) Cache(int layer)
    {
        if (_tensors.Find($"kv.{layer}.fused") is not { } fused)
            return (Read($"kv.{layer}.key"), Read($"kv.{layer}.value"));
        var (tokens, dim) = ((int)fused.Shape[1], (int)fused.Shape[2] / 2);
        var all = Tensor(fused.Name);
        ReferenceCache Half(int first) =>
            new(1, tokens, [.. Enumerable.Range(0, tokens).SelectMany(t => all.Skip(t * 2 * dim + first).Take(dim))]);
        return (Half(0), Half(dim));
        ReferenceCache Read(string name) => new((int)Shape(name)[1], (int)Shape(name)[2], Tensor(name));
    }

    /// <summary>40, 24 and then single tokens. The hybrid cache of the reference's version is wrong after the first of them:
    /// then the truth is the forward pass over all.</summary>
    public float[] Incremental()
    {
        var hybrid = File.ReadAllText(Path.Combine(_directory, "config.json"))
            .Contains("\"cache_implementation\": \"hybrid\"", StringComparison.Ordinal);
        var incremental = Json.GetProperty("incremental");
        return Tensor(incremental.GetProperty("logits_tensor").GetString() is "logits" ? "logits"
            : hybrid ? "incremental.logits_full_forward" : "incremental.logits");
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

/// <summary>Keys or values [heads, tokens, dim] as the reference keeps them: layers with a window keep their last tokens, and
/// heads that share a key may each have it.</summary>
sealed record ReferenceCache(int Heads, int Tokens, float[] Numbers)
{
    int Dim => Numbers.Length / Heads / Tokens;

    /// <param name="actual">[kvHeads, all tokens, dim]</param>
    public float Deviation((int Heads, float[] Numbers) actual)
    {
        var tokens = actual.Numbers.Length / actual.Heads / Dim;
        var worst = 0f;
        for (var head = 0; head < Heads; head++)
        {
            var from = (head / (Heads / actual.Heads) * tokens + tokens - Tokens) * Dim;
            var part = actual.Numbers.AsSpan(from, Tokens * Dim);
            worst = Math.Max(worst, Reference.Deviation(part, Numbers.AsSpan(head * Tokens * Dim, Tokens * Dim)));
        }
        return worst;
    }
}
