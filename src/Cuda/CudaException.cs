namespace Hearth.Cuda;

/// <summary>What the card, its driver or its libraries refuse; the message says what to do where there is something.</summary>
public sealed class CudaException : Exception
{
    public CudaException(string message) : base(message)
    {
    }

    public CudaException(string message, Exception inner) : base(message, inner)
    {
    }
}
