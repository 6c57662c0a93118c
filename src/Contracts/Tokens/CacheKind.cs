namespace Hearth.Contracts;

/// <summary>How a conversation's keys and values are kept, after the caches of transformers. All give the same reply.</summary>
public enum CacheKind
{
    /// <summary>As the model was loaded with.</summary>
    Default,

    /// <summary>Blocks are taken as the conversation grows.</summary>
    Dynamic,

    /// <summary>Blocks for the longest reply are taken at the start.</summary>
    Static,

    /// <summary>Blocks that no layer sees any more are given back. For models whose layers all have a window.</summary>
    Sliding,

    /// <summary>Between turns the cache is in host memory.</summary>
    Offloaded,

    /// <summary>Nothing is taken from a cache, shared, or kept after the reply.</summary>
    None,
}
