namespace Hearth.Cuda;

/// <summary>What the card, its driver or its libraries refuse; the message says what to do where there is something.</summary>
public sealed class CudaException(string message) : Exception(message)
{
    /// <summary>The card's context is lost: only another process can use the card again.</summary>
    public bool IsFatal { get; init; }
}
