using System.Runtime.InteropServices;
using System.Text.Json;
using Hearth.Engine.Checkpoints;
using Hearth.Kernels;

namespace Hearth.Golden.Tests;

/// <summary>A checkpoint of the golden set as one GGUF file, converted as llama.cpp's script does it.</summary>
sealed class GgufConversion
{
    static readonly Dictionary<string, string> Names = new()
    {
        ["input_layernorm"] = "attn_norm",
        ["self_attn.q_proj"] = "attn_q",
        ["self_attn.k_proj"] = "attn_k",
        ["self_attn.v_proj"] = "attn_v",
        ["self_attn.qkv_proj"] = "attn_qkv",
        ["self_attn.o_proj"] = "attn_output",
        ["self_attn.q_norm"] = "attn_q_norm",
        ["self_attn.k_norm"] = "attn_k_norm",
        ["post_attention_layernorm"] = "ffn_norm",
        ["mlp.gate_proj"] = "ffn_gate",
        ["mlp.up_proj"] = "ffn_up",
        ["mlp.gate_up_proj"] = "ffn_up",
        ["mlp.down_proj"] = "ffn_down",
    };

    static readonly Dictionary<string, string> GemmaNames = new(Names)
    {
        ["post_attention_layernorm"] = "post_attention_norm",
        ["pre_feedforward_layernorm"] = "ffn_norm",
        ["post_feedforward_layernorm"] = "post_ffw_norm",
    };

    readonly JsonElement _config;
    readonly string _type;

    public GgufConversion(string directory)
    {
        _config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(directory, "config.json"))).RootElement;
        _type = _config.GetProperty("model_type").GetString()! switch
        {
            "gemma3_text" => "gemma3",
            "mistral" => "llama",
            var type => type,
        };
        Fields();
        using var checkpoint = Checkpoint.Open(directory);
        foreach (var entry in checkpoint.Tensors)
            Tensor(entry, checkpoint.Tensor(entry.Name, entry.Shape).Data);
    }

    public GgufWriter Writer { get; } = new();

    void Fields()
    {
        Writer.Field("general.architecture", _type);
        Writer.Field($"{_type}.context_length", Int("max_position_embeddings"));
        Writer.Field($"{_type}.embedding_length", Int("hidden_size"));
        Writer.Field($"{_type}.block_count", Int("num_hidden_layers"));
        Writer.Field($"{_type}.feed_forward_length", Int("intermediate_size"));
        Writer.Field($"{_type}.attention.head_count", Int("num_attention_heads"));
        Writer.Field($"{_type}.attention.head_count_kv", Int("num_key_value_heads"));
        Writer.Field($"{_type}.attention.key_length", Int("head_dim"));
        Writer.Field($"{_type}.attention.value_length", Int("head_dim"));
        Writer.Field($"{_type}.attention.layer_norm_rms_epsilon", Float("rms_norm_eps"));
        Writer.Field($"{_type}.attention.sliding_window", _type == "qwen2" ? null : Int("sliding_window"));
        Writer.Field($"{_type}.attention.sliding_window_pattern", Int("sliding_window_pattern"));
        Writer.Field($"{_type}.attn_logit_softcapping", Float("attn_logit_softcapping"));
        Writer.Field($"{_type}.final_logit_softcapping", Float("final_logit_softcapping"));
        Writer.Field($"{_type}.rope.freq_base", Float("rope_theta"));
        if (_config.TryGetProperty("rope_scaling", out var scaling) && Kind(scaling) is "linear" or "yarn"
            && scaling.TryGetProperty("factor", out var factor))
        {
            Writer.Field($"{_type}.rope.scaling.type", Kind(scaling));
            Writer.Field($"{_type}.rope.scaling.factor", factor.GetSingle());
            if (scaling.TryGetProperty("original_max_position_embeddings", out var original))
                Writer.Field($"{_type}.rope.scaling.original_context_length", original.GetInt32());
        }
        if (Float("partial_rotary_factor") is { } part)
            Writer.Field($"{_type}.rope.dimension_count", (int)(HeadDim * part));
        if (Kind(scaling) == "llama3")
            Writer.Tensor("rope_freqs.weight", [HeadDim / 2], 0, Bytes(Llama3Factors(scaling)));
        if (Kind(scaling) == "longrope")
        {
            Writer.Field($"{_type}.rope.scaling.original_context_length", Int("original_max_position_embeddings"));
            Writer.Tensor("rope_factors_long.weight", [HeadDim / 2], 0, Bytes(Numbers(scaling.GetProperty("long_factor"))));
            Writer.Tensor("rope_factors_short.weight", [HeadDim / 2], 0, Bytes(Numbers(scaling.GetProperty("short_factor"))));
        }
        Writer.Field("tokenizer.ggml.eos_token_id", Int("eos_token_id"));
    }

    void Tensor(TensorEntry entry, TensorMemory data)
    {
        var dot = entry.Name.LastIndexOf('.');
        var (stem, suffix) = (entry.Name[..dot], entry.Name[dot..]);
        var name = stem switch
        {
            "model.embed_tokens" => "token_embd",
            "model.norm" => "output_norm",
            "lm_head" => "output",
            _ => Layer(stem),
        } + suffix;
        var shape = entry.Shape.Select(extent => (int)extent).ToArray();
        var bytes = data.Bytes.ToArray();
        if (_type == "llama" && stem.EndsWith("q_proj", StringComparison.Ordinal))
            bytes = Interleave(bytes, shape[0], Int("num_attention_heads")!.Value);
        if (_type == "llama" && stem.EndsWith("k_proj", StringComparison.Ordinal))
            bytes = Interleave(bytes, shape[0], (Int("num_key_value_heads") ?? Int("num_attention_heads"))!.Value);
        if (shape.Length == 1)
            Writer.Tensor(name, shape, 0, Vector(entry.Type, bytes, stem));
        else
            Writer.Tensor(name, shape, entry.Type switch { StoredType.F32 => 0u, StoredType.F16 => 1, _ => 30 }, bytes);
    }

    /// <summary>Norms and biases are f32 there; Gemma's norms have one added.</summary>
    byte[] Vector(StoredType type, byte[] bytes, string stem)
    {
        using var context = new KernelContext(1);
        var values = new float[bytes.Length / type.Size()];
        Kernels.Numbers.Widen(context, type.Weight()!.Value, bytes, values);
        if (_type.StartsWith("gemma", StringComparison.Ordinal) && stem.EndsWith("norm", StringComparison.Ordinal))
            values = [.. values.Select(v => v + 1)];
        return Bytes(values);
    }

    string Layer(string stem)
    {
        var parts = stem.Split('.', 4);
        var names = _type is "gemma2" or "gemma3" ? GemmaNames : Names;
        return $"blk.{parts[2]}.{names[parts[3]]}";
    }

    /// <summary>reshape(heads, 2, rows of half a head, ..).swapaxes(1, 2)</summary>
    static byte[] Interleave(byte[] bytes, int rows, int heads)
    {
        var (size, half) = (bytes.Length / rows, rows / heads / 2);
        var result = new byte[bytes.Length];
        for (var head = 0; head < heads; head++)
        {
            for (var h = 0; h < 2; h++)
            {
                for (var j = 0; j < half; j++)
                {
                    Buffer.BlockCopy(bytes, ((head * 2 + h) * half + j) * size, result, ((head * half + j) * 2 + h) * size, size);
                }
            }
        }
        return result;
    }

    /// <summary>What the pairs' frequencies are divided by, as the script works it out.</summary>
    float[] Llama3Factors(JsonElement scaling)
    {
        double Number(string name) => scaling.GetProperty(name).GetDouble();
        var (factor, low, high) = (Number("factor"), Number("low_freq_factor"), Number("high_freq_factor"));
        var context = Number("original_max_position_embeddings");
        return
        [
            .. Enumerable.Range(0, HeadDim / 2).Select(i =>
            {
                var turns = context / (2 * Math.PI * Math.Pow(Float("rope_theta")!.Value, 2.0 * i / HeadDim));
                var smooth = Math.Clamp((turns - low) / (high - low), 0, 1);
                return (float)(1 / ((1 - smooth) / factor + smooth));
            }),
        ];
    }

    static float[] Numbers(JsonElement list) => [.. list.EnumerateArray().Select(n => n.GetSingle())];

    static byte[] Bytes(float[] values) => MemoryMarshal.AsBytes<float>(values).ToArray();

    int HeadDim => Int("head_dim") ?? Int("hidden_size")!.Value / Int("num_attention_heads")!.Value;

    static string? Kind(JsonElement scaling) => scaling.ValueKind != JsonValueKind.Object ? null :
        (scaling.TryGetProperty("rope_type", out var kind) || scaling.TryGetProperty("type", out kind)) ? kind.GetString() : null;

    int? Int(string name) =>
        _config.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetInt32() : null;

    float? Float(string name) =>
        _config.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetSingle() : null;
}
