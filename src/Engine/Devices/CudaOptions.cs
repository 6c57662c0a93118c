namespace Hearth.Engine.Devices;

/// <summary>How a card computes.</summary>
sealed record CudaOptions
{
    /// <summary>Products of many rows keep f32 inputs instead of rounding them to the weights' type: agrees with the reference to
    /// 1e-4, at a fraction of the speed.</summary>
    public bool Exact { get; init; }

    /// <summary>A reply does not depend on what else is in the batch, on how its prompt was cut or on where its cache was: every
    /// product runs row by row in one order. Prompts take several times as long.</summary>
    public bool Deterministic { get; init; }

    /// <summary>Decode steps are recorded and replayed as one launch.</summary>
    public bool Graphs { get; init; } = true;

    /// <summary>Where compiled kernels and chosen algorithms are kept.</summary>
    public string CacheFolder { get; init; } = DefaultCacheFolder();

    /// <summary>Lines for who waits for the start.</summary>
    public Action<string> Progress { get; init; } = _ => { };

    static string DefaultCacheFolder()
    {
        const Environment.SpecialFolder folder = Environment.SpecialFolder.LocalApplicationData;
        var home = Environment.GetFolderPath(folder, Environment.SpecialFolderOption.DoNotVerify);
        return Path.Combine(home.Length > 0 ? home : Path.GetTempPath(), "hearth", "cuda");
    }
}
