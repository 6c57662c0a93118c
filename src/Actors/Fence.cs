using System.Security.Cryptography;

namespace Hearth.Actors;

/// <summary>Proof of ownership that every write carries. The epoch alone is not enough: a store that lost its last writes
/// may grant the same number twice, and then only the random activation id keeps the older writer out.</summary>
/// <param name="Epoch">Grows by one with every activation of the grain.</param>
/// <param name="Activation">128 random bits, in hex.</param>
public readonly record struct Fence(long Epoch, string Activation)
{
    public static string NewActivation() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
}
