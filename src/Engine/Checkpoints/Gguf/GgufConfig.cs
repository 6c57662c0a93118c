using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;

namespace Hearth.Engine.Checkpoints;

/// <summary>A GGUF file's fields in the words of config.json, so that the families read both alike.</summary>
static class GgufConfig
{
    public const string RopeFactors = "rope_freqs.weight";
    public const string RopeLong = "rope_factors_long.weight";
    public const string RopeShort = "rope_factors_short.weight";

    static readonly string[] Ends = ["eos", "eot", "eom"];

    public static IReadOnlyList<string> Architectures { get; } =
        ["llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "phi3"];

    /// <exception cref="CheckpointException">A field is missing or out of bounds.</exception>
    public static ConfigSection Of(GgufFile file)
    {
        var (fields, architecture) = (file.Fields, file.Names.Architecture);
        var config = new JsonObject { ["model_type"] = architecture == "gemma3" ? "gemma3_text" : architecture };
        Sizes(config, file, fields, architecture);
        Rope(config, file, fields, architecture);
        if (architecture is "gemma" or "gemma2" or "gemma3")
            Gemma(config, fields, architecture);
        if (architecture == "llama" && fields.WholeOrNull("llama.expert_count", 0, 1 << 16) is > 0)
            throw fields.Bad("llama.expert_count", "a mixture of experts is not served from GGUF");
        var vocabulary = (int)config["vocab_size"]!;
        int?[] ends = [.. Ends.Select(kind => fields.WholeOrNull($"tokenizer.ggml.{kind}_token_id", 0, vocabulary - 1))];
        config["eos_token_id"] = new JsonArray([.. ends.OfType<int>().Distinct().Select(id => (JsonNode)id)]);
        return ConfigSection.Parse(file.Path, Encoding.UTF8.GetBytes(config.ToJsonString()));
    }

    static void Sizes(JsonObject config, GgufFile file, GgufFields fields, string architecture)
    {
        var width = fields.Whole($"{architecture}.embedding_length", 1, CheckpointLimits.WidthMax);
        var heads = fields.Whole($"{architecture}.attention.head_count", 1, CheckpointLimits.HeadsMax);
        var headDim = fields.WholeOrNull($"{architecture}.attention.key_length", 1, CheckpointLimits.HeadDimMax);
        if (headDim is { } keys && fields.WholeOrNull($"{architecture}.attention.value_length", 1, 1 << 20) is { } values
            && values != keys)
        {
            throw fields.Bad($"{architecture}.attention.value_length", $"must be the key's, {keys}");
        }
        if (headDim is null && width % heads != 0)
            throw fields.Bad($"{architecture}.attention.head_count", $"must divide the embedding length {width}");
        var tokens = Stored(file, "token_embd.weight") is { Shape: [var rows and >= 1 and <= CheckpointLimits.VocabularyMax, _] }
            ? (int)rows
            : throw new CheckpointException(file.Path, "token_embd.weight", "the tensor is missing or no table of embeddings.");
        config["vocab_size"] = tokens;
        config["hidden_size"] = width;
        config["num_attention_heads"] = heads;
        config["num_key_value_heads"] = fields.WholeOrNull($"{architecture}.attention.head_count_kv", 1, heads) ?? heads;
        config["head_dim"] = headDim ?? width / heads;
        config["num_hidden_layers"] = fields.Whole($"{architecture}.block_count", 1, CheckpointLimits.LayersMax);
        config["intermediate_size"] = fields.Whole($"{architecture}.feed_forward_length", 1, CheckpointLimits.WidthMax);
        config["max_position_embeddings"] = fields.Whole($"{architecture}.context_length", 1, CheckpointLimits.ContextMax);
        config["rms_norm_eps"] = fields.NumberOrNull($"{architecture}.attention.layer_norm_rms_epsilon", 0, 1)
            ?? throw fields.Bad($"{architecture}.attention.layer_norm_rms_epsilon", "is missing");
        config["tie_word_embeddings"] = Stored(file, "output.weight") is null;
        config["attention_bias"] = Stored(file, "blk.0.attn_q.bias") is not null;
        config["mlp_bias"] = Stored(file, "blk.0.ffn_gate.bias") is not null;
        if (fields.WholeOrNull($"{architecture}.attention.sliding_window", 0, int.MaxValue) is > 0 and var window)
            config["sliding_window"] = window;
    }

    static void Rope(JsonObject config, GgufFile file, GgufFields fields, string architecture)
    {
        config["rope_theta"] = fields.NumberOrNull($"{architecture}.rope.freq_base", 1, 1e15) ?? 10000;
        var headDim = (int)config["head_dim"]!;
        var turning = fields.WholeOrNull($"{architecture}.rope.dimension_count", 1, headDim) ?? headDim;
        if (turning != headDim)
            config["partial_rotary_factor"] = (double)turning / headDim;
        var original = fields.WholeOrNull($"{architecture}.rope.scaling.original_context_length", 1, CheckpointLimits.ContextMax);
        if (original is { } trained)
            config["original_max_position_embeddings"] = trained;
        var scaling = new JsonObject();
        if (Factors(file, RopeFactors) is { } factors)
        {
            // Llama 3's stretching, worked out by the converter: one factor per pair, whatever the length.
            scaling["rope_type"] = "longrope";
            scaling["short_factor"] = factors;
            scaling["long_factor"] = factors.DeepClone();
            scaling["attention_factor"] = 1;
        }
        else if (Factors(file, RopeLong) is { } far && Factors(file, RopeShort) is { } near)
        {
            scaling["rope_type"] = "longrope";
            (scaling["short_factor"], scaling["long_factor"]) = (near, far);
            if (fields.NumberOrNull($"{architecture}.rope.scaling.attn_factor", 1e-3, 1e3) is { } attention)
                scaling["attention_factor"] = attention;
        }
        else if (fields.NumberOrNull($"{architecture}.rope.scaling.factor", 0, 1e4) is > 0 and var factor)
        {
            scaling["rope_type"] = fields.Text($"{architecture}.rope.scaling.type") ?? "linear";
            scaling["factor"] = factor;
            if (original is { } positions)
                scaling["original_max_position_embeddings"] = positions;
        }
        if (scaling.Count > 0 && (string?)scaling["rope_type"] != "none")
            config["rope_scaling"] = scaling;
    }

    /// <summary>What Gemma's configurations say and its GGUF files leave to the reader.</summary>
    static void Gemma(JsonObject config, GgufFields fields, string architecture)
    {
        config["hidden_activation"] = "gelu_pytorch_tanh";
        config["attn_logit_softcapping"] = fields.NumberOrNull($"{architecture}.attn_logit_softcapping", 0, 1e6);
        config["final_logit_softcapping"] = fields.NumberOrNull($"{architecture}.final_logit_softcapping", 0, 1e6);
        // The largest of each series scales by the width's share of a head, the others by the head's own.
        var largest = (architecture, (int)config["num_hidden_layers"]!) is ("gemma2", 46) or ("gemma3", 62);
        config["query_pre_attn_scalar"] =
            largest ? (int)config["hidden_size"]! / (int)config["num_attention_heads"]! : (int)config["head_dim"]!;
        if (architecture == "gemma3")
        {
            config["rope_local_base_freq"] = fields.NumberOrNull("gemma3.rope.freq_base_swa", 1, 1e15) ?? 10000;
            config["sliding_window_pattern"] =
                fields.WholeOrNull("gemma3.attention.sliding_window_pattern", 1, CheckpointLimits.LayersMax) ?? 6;
        }
    }

    static JsonArray? Factors(GgufFile file, string name)
    {
        if (Stored(file, name) is not { } entry)
            return null;
        if (entry.Type != StoredType.F32 || entry.Elements > CheckpointLimits.HeadDimMax)
            throw new CheckpointException(file.Path, name, $"is {entry.ShapeText} of {entry.Type}, no list of factors.");
        var numbers = MemoryMarshal.Cast<byte, float>(file.Bytes(entry.Offset, (int)entry.Length)).ToArray();
        return Array.TrueForAll(numbers, float.IsFinite)
            ? new JsonArray([.. numbers.Select(n => (JsonNode)n)])
            : throw new CheckpointException(file.Path, name, "holds numbers that are not finite.");
    }

    static TensorEntry? Stored(GgufFile file, string name) => file.Stored.FirstOrDefault(t => t.Name == name);
}
