using System.Text;

namespace Hearth.Actors.Transport;

/// <summary>Who may talk to whom: processes of one cluster name and, when one is set, one secret. Messages are not encrypted:
/// keep the port to the cluster's own network, or use a mesh.</summary>
/// <param name="Secret">The same for all processes of the cluster, of at least <see cref="Limits.PeerSecretBytesMin"/> bytes;
/// empty for none.</param>
public sealed record PeerIdentity(string Cluster, ReadOnlyMemory<byte> Secret = default)
{
    /// <exception cref="ArgumentException">A name or secret that cannot be used.</exception>
    public void Check()
    {
        if (Encoding.UTF8.GetByteCount(Cluster) is 0 or > Limits.NameLengthMax)
            throw new ArgumentException($"The cluster's name has 1 to {Limits.NameLengthMax} bytes.", nameof(Cluster));
        if (Secret.Length is > 0 and < Limits.PeerSecretBytesMin)
            throw new ArgumentException($"The cluster's secret has at least {Limits.PeerSecretBytesMin} bytes.", nameof(Secret));
    }
}
