using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Hearth.Actors;

/// <summary>Certificates in PEM files, and authorities of one's own.</summary>
static class Certificates
{
    /// <exception cref="ArgumentException">The file holds no certificate.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="CryptographicException">It is not in PEM form.</exception>
    public static X509Certificate2Collection LoadAuthorities(string path)
    {
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPemFile(path);
        return authorities.Count > 0 ? authorities : throw new ArgumentException($"'{path}' holds no certificate in PEM form");
    }

    /// <summary>A certificate with its key, and those between it and its authority, which follow it in the file.</summary>
    /// <param name="key">File of the key; null if it is in the same one.</param>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="CryptographicException">It is not in PEM form, or the key is another's.</exception>
    public static SslStreamCertificateContext Load(string certificate, string? key)
    {
        using var loaded = X509Certificate2.CreateFromPemFile(certificate, key);
        // Windows sends no certificate whose key came from elsewhere.
        var own = X509CertificateLoader.LoadPkcs12(loaded.Export(X509ContentType.Pkcs12), null);
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(certificate);
        return SslStreamCertificateContext.Create(own, [.. chain.Skip(1)], offline: true);
    }

    /// <summary>Whether one of the authorities has issued the certificate for this purpose.</summary>
    /// <param name="chain">As it came: certificates between the two.</param>
    /// <param name="forServers">Else for clients.</param>
    /// <exception cref="AuthenticationException">It has not, with the reason.</exception>
    public static void Check(
        X509Certificate certificate, X509Chain? chain, X509Certificate2Collection authorities, bool forServers)
    {
        using var own = new X509Chain();
        own.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        own.ChainPolicy.CustomTrustStore.AddRange(authorities);
        own.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        own.ChainPolicy.ApplicationPolicy.Add(new Oid(forServers ? "1.3.6.1.5.5.7.3.1" : "1.3.6.1.5.5.7.3.2"));
        if (chain is not null)
            own.ChainPolicy.ExtraStore.AddRange(chain.ChainElements.Select(e => e.Certificate).ToArray());
        using var leaf = new X509Certificate2(certificate);
        if (!own.Build(leaf))
        {
            var reasons = string.Join(' ', own.ChainStatus.Select(s => s.StatusInformation.Trim()).Distinct());
            throw new AuthenticationException($"the certificate {certificate.Subject} is not of the given authority: {reasons}");
        }
    }
}
