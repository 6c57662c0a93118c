namespace Hearth.Engine.Checkpoints;

/// <summary>What a checkpoint may ask for before it is refused: its files come from anywhere.</summary>
static class CheckpointLimits
{
    /// <summary>The format's own limit on a safetensors header.</summary>
    public const long HeaderBytesMax = 100_000_000;

    /// <summary>Tensors of one file; the largest published mixtures of experts have some 90,000 over all their files.</summary>
    public const int TensorsMax = 200_000;

    public const int TensorNameBytesMax = 1024;
    public const int RankMax = 8;

    public const int ShardsMax = 1024;
    public const int IndexBytesMax = 32 << 20;
    public const int ConfigBytesMax = 1 << 20;

    public const int JsonDepthMax = 32;

    /// <summary>Of a GGUF file: fields, entries of all lists together (tokens, scores, types, merges), bytes of one entry, bytes
    /// of a text (a chat template).</summary>
    public const int GgufFieldsMax = 1 << 14;
    public const int GgufItemsMax = 1 << 21;
    public const int GgufItemBytesMax = 1 << 14;
    public const int GgufTextBytesMax = 1 << 22;

    public const int LayersMax = 1024;
    public const int HeadsMax = 1024;
    public const int HeadDimMax = 1024;
    public const int BucketsMax = 4096;
    public const int ExpertsMax = 1024;
    public const int ExpertsOfAllLayersMax = 1 << 16;
    public const int WidthMax = 1 << 20;
    public const int VocabularyMax = 1 << 22;
    public const int ContextMax = 1 << 24;
    public const int EosTokensMax = 64;
}
