using Hearth.Engine.Checkpoints;

namespace Hearth.Engine.Models;

/// <summary>BERT and RoBERTa: encoders with learned positions and layer norms behind each sum.</summary>
static class Bert
{
    public static ModelSpec Describe(Checkpoint checkpoint) =>
        Describe(checkpoint, "bert.", positionsFirst: 0, "cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm",
            "cls.predictions.bias");

    /// <summary>Its positions begin behind the padding token's.</summary>
    public static ModelSpec DescribeRoberta(Checkpoint checkpoint) =>
        Describe(checkpoint, "roberta.", 1 + checkpoint.Config.Int("pad_token_id", 0, CheckpointLimits.VocabularyMax),
            "lm_head.dense", "lm_head.layer_norm", "lm_head.bias");

    static ModelSpec Describe(Checkpoint checkpoint, string prefix, int positionsFirst, string headIn, string headNorm,
        string headBias)
    {
        var config = checkpoint.Config;
        if (config.String("position_embedding_type") is { } positions and not "absolute")
        {
            throw config.Bad("position_embedding_type",
                $"'{ConfigSection.Short(positions)}' is not supported; supported is absolute");
        }
        prefix = checkpoint.Contains("embeddings.word_embeddings.weight") ? "" : prefix;
        var (width, heads, mlp) = (config.Width(), config.Heads(), config.Width("intermediate_size"));
        var dim = config.HeadDim(width, heads);
        var norm = new NormSpec(NormKind.Layer, config.Epsilon("layer_norm_eps", 1e-12)) { Bias = true };
        LayerSpec Layer(string at) => new(
            new(new(After: norm.At($"{at}.attention.output.LayerNorm")),
                [
                    new($"{at}.attention.self.query", width, Bias: true),
                    new($"{at}.attention.self.key", width, Bias: true),
                    new($"{at}.attention.self.value", width, Bias: true),
                ],
                new($"{at}.attention.output.dense", width, Bias: true)),
            new(new(After: norm.At($"{at}.output.LayerNorm")), new(
                mlp, [new($"{at}.intermediate.dense", mlp, Bias: true)], new($"{at}.output.dense", width, Bias: true))));
        var predicts = checkpoint.Contains($"{headIn}.weight");
        var length = config.Positions() - positionsFirst;
        return new ModelSpec
        {
            Family = config.String("model_type")!,
            VocabularySize = config.Vocabulary(),
            ContextLength = length > 0 ? length : throw config.Bad("max_position_embeddings", "leaves no position"),
            Width = width,
            Heads = heads,
            KvHeads = heads,
            HeadDim = dim,
            AttentionScale = 1 / MathF.Sqrt(dim),
            Bidirectional = true,
            Activation = config.Activation("hidden_act", "gelu"),
            Layers = [.. Enumerable.Range(0, config.Layers()).Select(i => Layer($"{prefix}encoder.layer.{i}"))],
            Embedding = $"{prefix}embeddings.word_embeddings",
            PositionEmbedding = $"{prefix}embeddings.position_embeddings",
            PositionsFirst = positionsFirst,
            TypeEmbedding = $"{prefix}embeddings.token_type_embeddings",
            Types = config.IntOrNull("type_vocab_size", 1, CheckpointLimits.BucketsMax) ?? 2,
            EmbeddingNorm = norm.At($"{prefix}embeddings.LayerNorm"),
            HeadIn = predicts ? new(headIn, width, Bias: true) : null,
            HeadActivation = predicts ? config.Activation("hidden_act", "gelu") : null,
            HeadNorm = predicts ? norm.At(headNorm) : null,
            Head = predicts ? new($"{prefix}embeddings.word_embeddings", config.Vocabulary()) : null,
            HeadBias = predicts ? headBias : null,
            Pooler = checkpoint.Contains($"{prefix}pooler.dense.weight") ? new($"{prefix}pooler.dense", width, Bias: true) : null,
        };
    }
}
