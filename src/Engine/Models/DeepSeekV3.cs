using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>DeepSeek V3 and R1: latent attention, experts chosen by sigmoids and groups, and one that every token
/// takes.</summary>
static class DeepSeekV3
{
    /// <summary>Of the latents' norms, whatever config.json says of the others.</summary>
    const float LatentEpsilon = 1e-6f;

    public static ModelSpec Describe(Checkpoint checkpoint)
    {
        var (config, shape) = (checkpoint.Config, Llama.Shape(checkpoint));
        var plain = config.Int("qk_nope_head_dim", 1, CheckpointLimits.HeadDimMax / 2);
        var rope = config.Int("qk_rope_head_dim", 2, CheckpointLimits.HeadDimMax / 2);
        var bias = config.Bool("attention_bias", false);
        shape = shape with
        {
            HeadDim = plain + rope,
            ValueDim = config.Int("v_head_dim", 1, CheckpointLimits.HeadDimMax),
            OutBias = bias,
            Experts = Experts(config, shape),
        };
        if (shape.KvHeads != shape.Heads)
            throw config.Bad("num_key_value_heads", "must be num_attention_heads");
        return Scaled(config, (shape with { Latent = at => Latent(config, shape, at, plain, rope, bias) }).Describe(), rope);
    }

    static LatentSpec Latent(ConfigSection config, LlamaShape shape, string at, int plain, int rope, bool bias)
    {
        var norm = new NormSpec(NormKind.Rms, LatentEpsilon);
        var (queries, kv) = (config.IntOrNull("q_lora_rank", 1, CheckpointLimits.WidthMax), config.Width("kv_lora_rank"));
        var width = shape.Heads * (plain + rope);
        return new(
            queries is { } rank ? new($"{at}.q_a_proj", rank, bias) : null,
            queries is null ? null : norm.At($"{at}.q_a_layernorm"),
            new(queries is null ? $"{at}.q_proj" : $"{at}.q_b_proj", width),
            new($"{at}.kv_a_proj_with_mqa", kv + rope, bias),
            norm.At($"{at}.kv_a_layernorm"),
            new($"{at}.kv_b_proj", shape.Heads * (plain + shape.ValueDim!.Value)),
            kv,
            rope,
            config.Bool("rope_interleave", true));
    }

    static Func<string, int, MlpPart?> Experts(ConfigSection config, LlamaShape shape)
    {
        var (experts, width) = (config.Experts("n_routed_experts"), config.Width("moe_intermediate_size"));
        var dense = config.IntOrNull("first_k_dense_replace", 0, CheckpointLimits.LayersMax) ?? 3;
        var groups = config.IntOrNull("n_group", 1, experts) ?? 1;
        if (experts % groups != 0)
            throw config.Bad("n_group", $"must divide n_routed_experts ({experts})");
        var chosen = config.IntOrNull("topk_group", 1, groups) ?? groups;
        var shared = width * (config.IntOrNull("n_shared_experts", 0, CheckpointLimits.WidthMax / width) ?? 0);
        var routing = config.Routing(experts, config.Bool("norm_topk_prob", true)) with
        {
            Sigmoid = true,
            Scale = config.Factor("routed_scaling_factor", 1),
            Groups = groups,
            GroupsChosen = chosen,
        };
        return (at, layer) => layer < dense
            ? null
            : new(new(), shared == 0 ? null : shape.Mlp($"{at}.mlp.shared_experts", shared),
                shape.ExpertsAt($"{at}.mlp", routing, width) with { Correction = $"{at}.mlp.gate.e_score_correction_bias" });
    }

    /// <summary>Its yarn counts rotations over the context before stretching, and scales the scores too.</summary>
    static ModelSpec Scaled(ConfigSection config, ModelSpec spec, int ropeDim)
    {
        var positions = config.Positions();
        var rope = RopeSpec.Read(config, ropeDim, positions) with { First = spec.HeadDim - ropeDim };
        if (rope.Kind != RopeKind.Yarn)
            return spec with { Ropes = [rope] };
        var scaling = config.Section("rope_parameters") ?? config.Section("rope_scaling")!;
        var (own, all) = (scaling.NumberOrNull("mscale", 0, 1e3) ?? 0, scaling.NumberOrNull("mscale_all_dim", 0, 1e3) ?? 0);
        var trained = rope.OriginalContext;
        var stretched = rope with { TrainedContext = trained, Factor = Math.Max(1, (double)positions / trained) };
        double Growth(double factor, double scale) => factor <= 1 ? 1 : 0.1 * scale * Math.Log(factor) + 1;
        if (!scaling.Has("attention_factor"))
        {
            var both = own > 0 && all > 0;
            var factor = both ? Growth(stretched.Factor, own) / Growth(stretched.Factor, all) : Growth(stretched.Factor, 1);
            stretched = stretched with { AttentionFactor = factor };
        }
        var scores = all > 0 ? Growth(rope.Factor, all) : 1;
        return spec with { Ropes = [stretched], AttentionScale = (float)(scores * scores / Math.Sqrt(spec.HeadDim)) };
    }
}
