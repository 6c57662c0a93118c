namespace Hearth.Gateway;

/// <summary>Whether this server will stop soon: its probe says so, and every answer closes its connection, so that a load
/// balancer leads the next request elsewhere. Turns are still taken.</summary>
sealed class Leaving
{
    volatile bool _begun;

    public bool HasBegun => _begun;

    public void Begin() => _begun = true;
}
