using System.Text;

namespace Hearth.Actors.Transport;

/// <summary>Who may talk to whom: processes of one cluster name and, when one is set, one secret. Without TLS messages are not
/// encrypted: keep the port to the cluster's own network, or use a mesh.</summary>
/// <param name="Secrets">At most <see cref="Limits.PeerSecretsMax"/>, each of at least <see cref="Limits.PeerSecretBytesMin"/>
/// bytes; none for none. A server proves itself with the first one, everyone accepts them all: so the cluster's secret is changed
/// by adding another one everywhere, then putting it first, then taking the old one out, and no call fails meanwhile.</param>
public sealed record PeerIdentity(string Cluster, params IReadOnlyList<ReadOnlyMemory<byte>> Secrets)
{
    /// <summary>What encrypts the peers' traffic, in all processes of the cluster or in none; null for nothing.</summary>
    public PeerTls? Tls { get; init; }

    /// <exception cref="ArgumentException">A name or secret that cannot be used.</exception>
    public void Check()
    {
        if (Encoding.UTF8.GetByteCount(Cluster) is 0 or > Limits.NameLengthMax)
            throw new ArgumentException($"The cluster's name has 1 to {Limits.NameLengthMax} bytes.", nameof(Cluster));
        if (Secrets.Count > Limits.PeerSecretsMax)
            throw new ArgumentException($"The cluster has at most {Limits.PeerSecretsMax} secrets at a time.", nameof(Secrets));
        if (Secrets.Any(secret => secret.Length < Limits.PeerSecretBytesMin))
            throw new ArgumentException($"The cluster's secret has at least {Limits.PeerSecretBytesMin} bytes.", nameof(Secrets));
    }
}
