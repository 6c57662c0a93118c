using Hearth.Engine.Checkpoints;
using Hearth.Kernels;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>f8 weights with every kind of scale that published checkpoints carry.</summary>
public sealed class ScaledF8Tests
{
    const int Rows = 200, Columns = 300;

    [Theory]
    [InlineData("weight_scale", "F32", new int[0], nameof(DType.F8E4M3Scaled))]
    [InlineData("weight_scale", "BF16", new[] { 1 }, nameof(DType.F8E4M3Scaled))]
    [InlineData("weight_scale", "F32", new[] { Rows, 1 }, nameof(DType.F8E4M3Scaled))]
    [InlineData("weight_scale", "BF16", new[] { Rows }, nameof(DType.F8E4M3Scaled))]
    [InlineData("weight_scale_inv", "F32", new[] { 2, 3 }, nameof(DType.F8E4M3Scaled))]
    [InlineData(null, "F32", new int[0], nameof(DType.F8E4M3))]
    public void EveryNumberIsTheProduct(string? scale, string scaleType, int[] shape, string type)
    {
        using var folder = new TemporaryFolder();
        var (numbers, scales) = Write(folder, scale, scaleType, shape);
        using var context = new KernelContext(2);
        using var checkpoint = Checkpoint.Open(folder.Path);
        using var store = new WeightStore(checkpoint, context);
        var matrix = store.Matrix("layer.weight", Rows, Columns);
        Assert.Equal(type, matrix.Type.ToString());
        var actual = new float[Columns];
        for (var row = 0; row < Rows; row++)
        {
            Numbers.Widen(context, matrix.Type, matrix.SliceRows(row, 1).Memory.Bytes, actual);
            for (var i = 0; i < Columns; i++)
            {
                var at = shape is [Rows, ..] ? row : shape is [2, 3] ? row / 128 * 3 + i / 128 : 0;
                Assert.Equal(scales[at] * F8.Number(numbers[row * Columns + i]), actual[i]);
            }
        }
    }

    [Theory]
    [InlineData("F32", new[] { 3, 3 })]
    [InlineData("F32", new[] { 2 })]
    [InlineData("I32", new[] { Rows, 1 })]
    public void AScaleThatDoesNotFitIsNamed(string scaleType, int[] shape)
    {
        using var folder = new TemporaryFolder();
        Write(folder, "weight_scale", scaleType, shape);
        using var context = new KernelContext(1);
        using var checkpoint = Checkpoint.Open(folder.Path);
        using var store = new WeightStore(checkpoint, context);
        var error = Assert.Throws<CheckpointException>(() => store.Matrix("layer.weight", Rows, Columns));
        Assert.Equal("layer.weight_scale", error.Item);
    }

    static (byte[] Numbers, float[] Scales) Write(TemporaryFolder folder, string? scale, string scaleType, int[] shape)
    {
        var random = new Random(8);
        byte[] numbers = [.. Enumerable.Range(0, Rows * Columns).Select(_ => (byte)(random.Next(127) | random.Next(2) << 7))];
        var count = shape.Aggregate(1, (a, b) => a * b);
        // Numbers that bf16 holds.
        ushort[] bits = [.. Enumerable.Range(0, count).Select(_ => (ushort)(0x3C00 + random.Next(0x180)))];
        float[] scales = scale is null ? [1] : [.. bits.Select(b => BitConverter.UInt32BitsToSingle((uint)b << 16))];
        var writer = new SafetensorsWriter();
        writer.Add("layer.weight", "F8_E4M3", numbers, Rows, Columns);
        if (scale is not null && scaleType == "BF16")
            writer.Add($"layer.{scale}", scaleType, bits, shape);
        else if (scale is not null)
            writer.Add($"layer.{scale}", scaleType, scales, shape);
        writer.Write(folder.At("model.safetensors"));
        File.WriteAllText(folder.At("config.json"), """{"quantization_config": {"quant_method": "fp8"}}""");
        return (numbers, scales);
    }
}
