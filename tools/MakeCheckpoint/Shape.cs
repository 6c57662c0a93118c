using System.Text.Json.Nodes;

namespace Hearth.MakeCheckpoint;

/// <summary>The sizes of a Llama with tied embeddings.</summary>
sealed record Shape(
    int Width, int Layers, int Heads, int KvHeads, int HeadDim, int MlpWidth, int Vocabulary, int Context, double Theta)
{
    public static IReadOnlyDictionary<string, Shape> Named { get; } = new Dictionary<string, Shape>
    {
        ["5m"] = new(256, 4, 4, 2, 64, 1024, 4096, 16384, 10000),
        ["110m"] = new(768, 12, 12, 12, 64, 2048, 32000, 8192, 10000),
        ["1b"] = new(2048, 16, 32, 8, 64, 8192, 128256, 8192, 500000),
        ["8b"] = new(4096, 32, 32, 8, 128, 14336, 128256, 32768, 500000),
    };

    /// <summary>Parameters in the order of the file.</summary>
    public IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        yield return ("model.embed_tokens.weight", [Vocabulary, Width]);
        for (var i = 0; i < Layers; i++)
        {
            var at = $"model.layers.{i}";
            yield return ($"{at}.input_layernorm.weight", [Width]);
            yield return ($"{at}.self_attn.q_proj.weight", [Heads * HeadDim, Width]);
            yield return ($"{at}.self_attn.k_proj.weight", [KvHeads * HeadDim, Width]);
            yield return ($"{at}.self_attn.v_proj.weight", [KvHeads * HeadDim, Width]);
            yield return ($"{at}.self_attn.o_proj.weight", [Width, Heads * HeadDim]);
            yield return ($"{at}.post_attention_layernorm.weight", [Width]);
            yield return ($"{at}.mlp.gate_proj.weight", [MlpWidth, Width]);
            yield return ($"{at}.mlp.up_proj.weight", [MlpWidth, Width]);
            yield return ($"{at}.mlp.down_proj.weight", [Width, MlpWidth]);
        }
        yield return ("model.norm.weight", [Width]);
    }

    public JsonObject Config() => new()
    {
        ["architectures"] = new JsonArray("LlamaForCausalLM"),
        ["model_type"] = "llama",
        ["hidden_size"] = Width,
        ["num_hidden_layers"] = Layers,
        ["num_attention_heads"] = Heads,
        ["num_key_value_heads"] = KvHeads,
        ["head_dim"] = HeadDim,
        ["intermediate_size"] = MlpWidth,
        ["hidden_act"] = "silu",
        ["vocab_size"] = Vocabulary,
        ["max_position_embeddings"] = Context,
        ["rms_norm_eps"] = 1e-5,
        ["rope_theta"] = Theta,
        ["tie_word_embeddings"] = true,
        ["torch_dtype"] = "bfloat16",
        ["bos_token_id"] = Tokenizer.EndOfText,
        ["eos_token_id"] = Tokenizer.EndOfMessage,
    };
}
