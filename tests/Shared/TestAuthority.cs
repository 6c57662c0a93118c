using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Hearth.Tests.Shared;

/// <summary>An authority of certificates, with its files in PEM form.</summary>
public sealed class TestAuthority : IDisposable
{
    readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("hearth-certificates-");
    readonly X509Certificate2 _root;

    public TestAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=authority of a test", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        _root = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
        File.WriteAllText(PathOf("ca.pem"), _root.ExportCertificatePem());
    }

    public string Authorities => PathOf("ca.pem");

    /// <summary>A certificate for both sides of a connection.</summary>
    /// <param name="host">A name, or an address.</param>
    public (string Certificate, string Key) Issue(string host)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={host}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(host, out var address))
            names.AddIpAddress(address);
        else
            names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(
            new X509EnhancedKeyUsageExtension([new("1.3.6.1.5.5.7.3.1"), new("1.3.6.1.5.5.7.3.2")], false));
        using var issued = request.Create(
            _root, DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100), RandomNumberGenerator.GetBytes(8));
        var (certificate, secret) = (PathOf($"{host}.pem"), PathOf($"{host}.key"));
        File.WriteAllText(certificate, issued.ExportCertificatePem());
        File.WriteAllText(secret, key.ExportPkcs8PrivateKeyPem());
        return (certificate, secret);
    }

    public void Dispose()
    {
        _root.Dispose();
        _directory.Delete(recursive: true);
    }

    string PathOf(string name) => Path.Combine(_directory.FullName, name);
}
