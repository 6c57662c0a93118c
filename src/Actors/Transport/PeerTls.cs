using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Hearth.Actors.Transport;

/// <summary>Encrypts what peers say, and lets in only who has a certificate of the cluster's authority. Names in certificates
/// do not count, since peers are called by address: the authority should issue for this cluster alone.</summary>
public sealed class PeerTls
{
    readonly SslStreamCertificateContext _own;
    readonly X509Certificate2Collection _authorities;

    PeerTls(SslStreamCertificateContext own, X509Certificate2Collection authorities) =>
        (_own, _authorities) = (own, authorities);

    /// <summary>Reads PEM files; certificates that are renewed are read at the next start.</summary>
    /// <exception cref="ArgumentException">A file is not there, or does not hold what it should.</exception>
    public static PeerTls Load(string certificate, string key, string authorities)
    {
        try
        {
            return new PeerTls(Certificates.Load(certificate, key), Certificates.LoadAuthorities(authorities));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new ArgumentException(e.Message, e);
        }
    }

    /// <exception cref="AuthenticationException">The peer is not of this cluster.</exception>
    internal async Task<SslStream> AskAsync(Stream plain, CancellationToken cancellationToken)
    {
        var tls = new SslStream(plain);
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            ClientCertificateContext = _own,
            RemoteCertificateValidationCallback = (_, certificate, chain, _) => IsPeer(certificate, chain, forServers: true),
        }, cancellationToken);
        return tls;
    }

    /// <exception cref="AuthenticationException">The caller is not of this cluster.</exception>
    internal async Task<SslStream> AnswerAsync(Stream plain, CancellationToken cancellationToken)
    {
        var tls = new SslStream(plain);
        await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
        {
            ServerCertificateContext = _own,
            ClientCertificateRequired = true,
            RemoteCertificateValidationCallback = (_, certificate, chain, _) => IsPeer(certificate, chain, forServers: false),
        }, cancellationToken);
        return tls;
    }

    bool IsPeer(X509Certificate? certificate, X509Chain? chain, bool forServers)
    {
        if (certificate is null)
            throw new AuthenticationException("the peer shows no certificate");
        Certificates.Check(certificate, chain, _authorities, forServers);
        return true;
    }
}
