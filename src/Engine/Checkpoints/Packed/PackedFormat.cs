namespace Hearth.Engine.Checkpoints;

/// <summary>How GPTQ and AWQ pack whole numbers into words, as config.json's quantization_config says.</summary>
/// <param name="IsAwq">AWQ packs along the outputs and shuffles eight of them; GPTQ packs along the inputs.</param>
/// <param name="Bits">4 or 8.</param>
/// <param name="GroupSize">Inputs that share a scale; 0 for all.</param>
/// <param name="ZeroShift">What is added to a stored zero point: GPTQ's first format stores it less one.</param>
sealed record PackedFormat(bool IsAwq, int Bits, int GroupSize, int ZeroShift)
{
    const string Supported = "gptq, awq, fp8, fbgemm_fp8 and compressed-tensors";

    public int PerWord => 32 / Bits;

    /// <returns>Null if nothing is packed: the checkpoint is not quantized, or stored in f8.</returns>
    /// <exception cref="CheckpointException">It is quantized in another way.</exception>
    public static PackedFormat? Read(ConfigSection config)
    {
        if (config.Section("quantization_config") is not { } section)
            return null;
        switch (section.String("quant_method") ?? throw section.Bad("quant_method", $"is missing; supported are {Supported}"))
        {
            case "gptq":
                return ReadGptq(section);
            case "awq":
                return ReadAwq(section);
            case "fp8" or "fbgemm_fp8":
                return null;
            case "compressed-tensors":
                Require(section, "format", "float-quantized", "float-quantized", "naive-quantized");
                return null;
            case var other:
                throw section.Bad("quant_method", $"'{Short(other)}' is not supported; supported are {Supported}");
        }
    }

    static PackedFormat ReadGptq(ConfigSection section)
    {
        var format = Require(section, "checkpoint_format", "gptq", "gptq", "gptq_v2");
        if (section.Section("dynamic") is not null)
            throw section.Bad("dynamic", "is not supported: every layer must be quantized alike");
        return new(false, ReadBits(section, 4, 8), ReadGroup(section), format == "gptq" ? 1 : 0);
    }

    static PackedFormat ReadAwq(ConfigSection section)
    {
        Require(section, "version", "gemm", "gemm", "GEMM");
        return new(true, ReadBits(section, 4), ReadGroup(section), 0);
    }

    static int ReadBits(ConfigSection section, params int[] supported)
    {
        var bits = section.Int("bits", 1, 32);
        return supported.Contains(bits)
            ? bits
            : throw section.Bad("bits", $"{bits} is not supported; supported: {string.Join(", ", supported)}");
    }

    static int ReadGroup(ConfigSection section)
    {
        var size = section.Int("group_size", -1, 1 << 20);
        return size switch
        {
            -1 => 0,
            0 => throw section.Bad("group_size", "must be -1 or at least 1"),
            _ => size,
        };
    }

    static string Require(ConfigSection section, string field, string otherwise, params string[] supported)
    {
        var value = section.String(field) ?? otherwise;
        return supported.Contains(value)
            ? value
            : throw section.Bad(field, $"'{Short(value)}' is not supported; supported: {string.Join(", ", supported)}");
    }

    static string Short(string text) => text.Length <= 64 ? text : text[..64] + "…";
}
