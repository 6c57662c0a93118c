namespace Hearth.Actors.Storage;

/// <summary>The store failed. Refusals that the protocol knows are results, not exceptions.</summary>
/// <param name="outcomeUnknown">True if the write may have happened all the same.</param>
public sealed class StoreException(string message, Exception? inner = null, bool outcomeUnknown = false)
    : Exception(message, inner)
{
    public bool OutcomeUnknown => outcomeUnknown;
}
