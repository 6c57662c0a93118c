using System.Globalization;
using Hearth.Engine.Checkpoints;
using Hearth.Kernels;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>GPTQ and AWQ beside a plain reading of their formats, number by number.</summary>
public sealed class PackedTests
{
    const int Rows = 72, Columns = 256;

    static readonly int[] AwqOrder = [0, 2, 4, 6, 1, 3, 5, 7];

    [Theory]
    [InlineData("gptq", 4, 128, true, false, nameof(DType.Q4))]
    [InlineData("gptq", 4, 32, false, false, nameof(DType.Q4Zero))]
    [InlineData("gptq", 4, -1, true, false, nameof(DType.Q4))]
    [InlineData("gptq", 4, 64, true, true, nameof(DType.F16))]
    [InlineData("gptq", 4, 48, false, false, nameof(DType.F16))]
    [InlineData("gptq", 8, 128, true, false, nameof(DType.Q8))]
    [InlineData("gptq", 8, 128, false, false, nameof(DType.F16))]
    [InlineData("gptq_v2", 4, 128, false, false, nameof(DType.Q4Zero))]
    [InlineData("awq", 4, 128, false, false, nameof(DType.Q4Zero))]
    [InlineData("awq", 4, 64, true, false, nameof(DType.Q4))]
    public void EveryNumberIsExact(string method, int bits, int group, bool symmetric, bool shuffled, string type)
    {
        using var folder = new TemporaryFolder();
        var expected = Write(folder, method, bits, group, symmetric, shuffled, type == nameof(DType.F16));
        using var context = new KernelContext(2);
        using var checkpoint = Checkpoint.Open(folder.Path);
        using var store = new WeightStore(checkpoint, context);
        var matrix = store.Matrix("layer.weight", Rows, Columns);
        Assert.Equal(type, matrix.Type.ToString());
        Assert.Equal(Rows * Columns, store.Parameters);
        var actual = new float[Columns];
        for (var row = 0; row < Rows; row++)
        {
            Numbers.Widen(context, matrix.Type, matrix.SliceRows(row, 1).Memory.Bytes, actual);
            Assert.Equal(expected[row], actual);
        }
    }

    [Theory]
    [InlineData("\"bits\": 4", "\"bits\": 3", "quantization_config.bits")]
    [InlineData("\"bits\": 4", "\"bits\": \"4\"", "quantization_config.bits")]
    [InlineData("\"bits\": 4", "\"bits\": 8", "layer.qweight")]
    [InlineData("\"group_size\": 64", "\"group_size\": 0", "quantization_config.group_size")]
    [InlineData("\"group_size\": 64", "\"group_size\": 32", "layer.scales")]
    [InlineData("\"quant_method\": \"gptq\"", "\"quant_method\": \"bitsandbytes\"", "quantization_config.quant_method")]
    [InlineData("\"quant_method\": \"gptq\"", "\"quant_method\": 4", "quantization_config.quant_method")]
    [InlineData("\"checkpoint_format\": \"gptq\"", "\"checkpoint_format\": \"marlin\"", "quantization_config.checkpoint_format")]
    [InlineData("\"quant_method\": \"gptq\"", "\"quant_method\": \"awq\", \"version\": \"gemv\"", "quantization_config.version")]
    public void ASettingThatIsNotServedIsNamed(string part, string spoiled, string item)
    {
        using var folder = new TemporaryFolder();
        Write(folder, "gptq", 4, 64, true, true, false);
        var config = File.ReadAllText(folder.At("config.json"));
        Assert.Contains(part, config, StringComparison.Ordinal);
        File.WriteAllText(folder.At("config.json"), config.Replace(part, spoiled, StringComparison.Ordinal));
        Assert.Equal(item, Refusal(folder).Item);
    }

    [Theory]
    [InlineData("qzeros", "I32", 1, "qzeros")]
    [InlineData("scales", "I32", Rows, "scales")]
    [InlineData("g_idx", "I32", 0, "g_idx")]
    [InlineData("qweight", "F32", Rows, "qweight")]
    public void ATensorThatDoesNotFitIsNamed(string part, string type, int second, string named)
    {
        using var folder = new TemporaryFolder();
        Write(folder, "gptq", 4, 64, true, true, false, (part, type, second));
        Assert.Equal($"layer.{named}", Refusal(folder).Item);
    }

    static CheckpointException Refusal(TemporaryFolder folder)
    {
        using var context = new KernelContext(1);
        using var checkpoint = Checkpoint.Open(folder.Path);
        return Assert.Throws<CheckpointException>(() =>
        {
            using var store = new WeightStore(checkpoint, context);
            store.Matrix("layer.weight", Rows, Columns);
        });
    }

    /// <returns>[row][column], rounded to f16 where that is how it is kept.</returns>
    static float[][] Write(
        TemporaryFolder folder, string method, int bits, int group, bool symmetric, bool shuffled, bool rounded,
        (string Part, string Type, int Second)? spoiled = null)
    {
        var (random, awq) = (new Random(bits * group), method == "awq");
        var size = group < 0 ? Columns : group;
        var groups = (Columns + size - 1) / size;
        var max = (1 << bits) - 1;
        var numbers = Table(Columns, Rows, () => random.Next(max + 1));
        // GPTQ's first format stores a zero point less one, so it has 1 to 16 of them.
        var least = method == "gptq" ? 1 : 0;
        var zeros = Table(groups, Rows, () => symmetric ? (max + 1) / 2 : random.Next(least, max + 1));
        var scales = Table(groups, Rows, () => (Half)(random.NextSingle() / 50));
        int[] groupOf = [.. Enumerable.Range(0, Columns).Select(i => i / size)];
        if (shuffled)
            random.Shuffle(groupOf);

        var writer = new SafetensorsWriter();
        void Add<T>(string part, string type, T[] values, params int[] shape) where T : unmanaged
        {
            if (spoiled is { } spoil && spoil.Part == part)
            {
                // As many bytes under another type or shape; no groups beyond the last for g_idx.
                var bad = part == "g_idx"
                    ? [.. Enumerable.Repeat(groups, Columns)]
                    : new int[shape[0] * Math.Max(spoil.Second, 1)];
                writer.Add($"layer.{part}", spoil.Type, bad, part == "g_idx" ? shape : [shape[0], spoil.Second]);
                return;
            }
            writer.Add($"layer.{part}", type, values, shape);
        }
        var perWord = 32 / bits;
        Add("qweight", "I32", awq ? PackAcross(numbers, bits, AwqOrder) : PackDown(numbers, bits),
            awq ? [Columns, Rows / perWord] : [Columns / perWord, Rows]);
        var stored = method == "gptq" ? Table(groups, Rows, (g, o) => zeros[g][o] - 1) : zeros;
        int[] order = awq ? AwqOrder : [.. Enumerable.Range(0, perWord)];
        Add("qzeros", "I32", PackAcross(stored, bits, order), groups, Rows / perWord);
        Add("scales", "F16", scales.SelectMany(s => s).ToArray(), groups, Rows);
        if (!awq)
            Add("g_idx", "I32", groupOf, Columns);
        writer.Write(folder.At("model.safetensors"));
        File.WriteAllText(folder.At("config.json"), string.Create(CultureInfo.InvariantCulture, $$"""
            {"quantization_config": {"quant_method": "{{(awq ? "awq" : "gptq")}}", "bits": {{bits}}, "group_size": {{group}},
             {{(awq ? "\"version\": \"gemm\"" : $"\"checkpoint_format\": \"{method}\"")}},
             "desc_act": {{(shuffled ? "true" : "false")}} } }
            """));
        float Number(int o, int i) => (float)scales[groupOf[i]][o] * (numbers[i][o] - zeros[groupOf[i]][o]);
        return Table(Rows, Columns, (o, i) => rounded ? (float)(Half)Number(o, i) : Number(o, i));
    }

    static T[][] Table<T>(int rows, int columns, Func<T> next) => Table(rows, columns, (_, _) => next());

    static T[][] Table<T>(int rows, int columns, Func<int, int, T> at) =>
        [.. Enumerable.Range(0, rows).Select(r => Enumerable.Range(0, columns).Select(c => at(r, c)).ToArray())];

    /// <summary>Words of numbers one below the other.</summary>
    static int[] PackDown(int[][] numbers, int bits)
    {
        var perWord = 32 / bits;
        var words = new int[numbers.Length / perWord * numbers[0].Length];
        for (var i = 0; i < numbers.Length; i++)
        {
            for (var o = 0; o < numbers[i].Length; o++)
                words[i / perWord * numbers[i].Length + o] |= numbers[i][o] << (i % perWord * bits);
        }
        return words;
    }

    /// <summary>Words of numbers side by side, in the given order from the lowest bits up.</summary>
    static int[] PackAcross(int[][] numbers, int bits, int[] order) =>
    [
        .. numbers.SelectMany(row => row.Chunk(order.Length)
            .Select(chunk => order.Select((from, at) => chunk[from] << (at * bits)).Aggregate(0, (a, b) => a | b))),
    ];
}
