namespace Hearth.Grains.Caches;

/// <summary>How caches lie in the store.</summary>
/// <param name="Compress">Costs processor time at every turn; worth it where the way to the store is slow.</param>
/// <param name="Keys">Null leaves them unencrypted.</param>
public sealed record SpillOptions(bool Compress = false, SpillKeys? Keys = null);
