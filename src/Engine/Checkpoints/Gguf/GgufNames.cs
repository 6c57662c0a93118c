using System.Globalization;
using System.Runtime.InteropServices;
using Hearth.Kernels;

namespace Hearth.Engine.Checkpoints;

/// <summary>A tensor by Hugging Face's name, and what llama.cpp's converter did to its numbers.</summary>
/// <param name="Heads">Of how many heads the rows are interleaved; 0 if they are not.</param>
/// <param name="PlusOne">One was added: Gemma's norms.</param>
sealed record GgufTensor(TensorEntry Entry, int Heads, bool PlusOne)
{
    /// <summary>The data as Hugging Face has them: mapped if nothing was done to them, else a copy.</summary>
    public TensorMemory Undo(TensorMemory data, Func<long, NativeBuffer> allocate)
    {
        if (Heads == 0 && !PlusOne)
            return data;
        var copy = allocate(data.Length);
        if (PlusOne)
        {
            var numbers = MemoryMarshal.Cast<byte, float>(data.Bytes);
            var target = copy.AsSpan<float>();
            for (var i = 0; i < target.Length; i++)
                target[i] = numbers[i] - 1;
            return copy.Memory;
        }
        // Row (h, j) of a head's two halves lies at 2 j + h: its rotation turns neighbours.
        var rows = checked((int)Entry.Shape[0]);
        var (rowBytes, half) = (checked((int)(data.Length / rows)), rows / Heads / 2);
        for (var row = 0; row < rows; row++)
        {
            var (head, inHead) = (row / (2 * half), row % (2 * half));
            var from = head * 2 * half + inHead % half * 2 + inHead / half;
            data.Slice((long)from * rowBytes, rowBytes).Bytes.CopyTo(copy.AsSpan<byte>((long)row * rowBytes, rowBytes));
        }
        return copy.Memory;
    }
}

/// <summary>From the names of a GGUF file's tensors to those of the family's Hugging Face checkpoints.</summary>
sealed class GgufNames
{
    static readonly Dictionary<string, string> Common = new(StringComparer.Ordinal)
    {
        ["attn_norm"] = "input_layernorm",
        ["attn_q"] = "self_attn.q_proj",
        ["attn_k"] = "self_attn.k_proj",
        ["attn_v"] = "self_attn.v_proj",
        ["attn_qkv"] = "self_attn.qkv_proj",
        ["attn_output"] = "self_attn.o_proj",
        ["attn_q_norm"] = "self_attn.q_norm",
        ["attn_k_norm"] = "self_attn.k_norm",
        ["ffn_norm"] = "post_attention_layernorm",
        ["ffn_gate"] = "mlp.gate_proj",
        ["ffn_up"] = "mlp.up_proj",
        ["ffn_down"] = "mlp.down_proj",
    };

    readonly string _file;
    readonly Dictionary<string, string> _layer = new(Common, StringComparer.Ordinal);
    readonly int _heads, _kvHeads;

    GgufNames(string file, string architecture, GgufFields fields)
    {
        (_file, Architecture) = (file, architecture);
        if (architecture == "llama")
        {
            _heads = fields.Whole("llama.attention.head_count", 1, CheckpointLimits.HeadsMax);
            _kvHeads = fields.WholeOrNull("llama.attention.head_count_kv", 1, _heads) ?? _heads;
        }
        if (architecture is "gemma2" or "gemma3")
        {
            _layer["ffn_norm"] = "pre_feedforward_layernorm";
            _layer["post_attention_norm"] = "post_attention_layernorm";
            _layer["post_ffw_norm"] = "post_feedforward_layernorm";
        }
        if (architecture == "phi3")
            _layer["ffn_up"] = "mlp.gate_up_proj";
    }

    public string Architecture { get; }

    bool IsGemma => Architecture.StartsWith("gemma", StringComparison.Ordinal);

    /// <exception cref="CheckpointException">The architecture is not served.</exception>
    public static GgufNames Of(string file, GgufFields fields)
    {
        var architecture = fields.Text("general.architecture") ?? throw fields.Bad("general.architecture", "is missing");
        if (!GgufConfig.Architectures.Contains(architecture))
        {
            var shown = architecture.Length <= 64 ? architecture : architecture[..64] + "…";
            throw fields.Bad("general.architecture",
                $"'{shown}' is not supported; supported are {string.Join(", ", GgufConfig.Architectures)}");
        }
        return new(file, architecture, fields);
    }

    /// <summary>Null for a tensor that is a setting in truth.</summary>
    public GgufTensor? Find(TensorEntry entry)
    {
        if (entry.Name is GgufConfig.RopeFactors or GgufConfig.RopeLong or GgufConfig.RopeShort)
            return null;
        var dot = entry.Name.LastIndexOf('.');
        var (stem, suffix) = dot < 0 ? (entry.Name, "") : (entry.Name[..dot], entry.Name[dot..]);
        var name = stem switch
        {
            "token_embd" => "model.embed_tokens",
            "output_norm" => "model.norm",
            "output" => "lm_head",
            _ => Layer(stem) ?? throw new CheckpointException(
                _file, entry.Name, $"is no tensor of a {Architecture} model that is served."),
        };
        var plusOne = IsGemma && name.EndsWith("norm", StringComparison.Ordinal);
        if (plusOne && entry.Type != StoredType.F32)
            throw new CheckpointException(_file, entry.Name, $"is stored as {entry.Type}; norms are F32.");
        var heads = name.EndsWith(".q_proj", StringComparison.Ordinal) ? _heads
            : name.EndsWith(".k_proj", StringComparison.Ordinal) ? _kvHeads : 0;
        if (heads > 0 && (entry.Shape.Length == 0 || entry.Shape[0] % (2 * heads) != 0 || entry.Shape[0] > int.MaxValue))
            throw new CheckpointException(_file, entry.Name, $"has shape {entry.ShapeText}, which {heads} heads do not divide.");
        return new(entry with { Name = name + suffix }, entry.Length == 0 ? 0 : heads, plusOne);
    }

    string? Layer(string stem)
    {
        var parts = stem.Split('.');
        return parts is ["blk", var number, var part] && _layer.TryGetValue(part, out var name)
            && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var layer)
            ? $"model.layers.{layer}.{name}"
            : null;
    }
}
