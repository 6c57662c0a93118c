using Hearth.Contracts;

namespace Hearth.Engine;

/// <summary>How a model keeps its caches.</summary>
public sealed record CachePolicy
{
    /// <summary>For requests that do not say.</summary>
    public CacheKind Kind { get; init; } = CacheKind.Dynamic;

    /// <summary>Most positions that any layer of the model sees; 0 when some layer sees all.</summary>
    public int Window { get; init; }

    /// <exception cref="ArgumentException">There is no such kind.</exception>
    public static CachePolicy Parse(string text) => new()
    {
        Kind = text switch
        {
            "dynamic" => CacheKind.Dynamic,
            "static" => CacheKind.Static,
            "sliding" => CacheKind.Sliding,
            "offloaded" => CacheKind.Offloaded,
            "none" => CacheKind.None,
            _ => throw new ArgumentException(
                $"'{text}' is no kind of cache; use dynamic, static, sliding, offloaded or none.", nameof(text)),
        },
    };

    /// <summary>Whether a request may ask for it.</summary>
    public bool Allows(CacheKind kind) => kind != CacheKind.Sliding || Window > 0;

    /// <exception cref="ArgumentException">The model has layers that see everything.</exception>
    internal void Validate() => _ = Allows(Kind)
        ? true
        : throw new ArgumentException(
            "Cache 'sliding' is for models whose layers all have a window: a block holds all layers, and some layer of this "
            + "model sees everything, so nothing could be given back. Use dynamic.");
}
