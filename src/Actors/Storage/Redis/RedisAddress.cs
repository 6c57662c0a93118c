using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using StackExchange.Redis;

namespace Hearth.Actors.Storage.Redis;

/// <summary>Where a Redis is and how it is spoken to: <c>host:port[,host:port…][,name=value…]</c> as StackExchange.Redis
/// reads it, and with names of our own: <c>user</c>, and for TLS <c>sslCa</c> (a PEM file: these authorities and no others are
/// believed), <c>sslCert</c> and <c>sslKey</c> (PEM files: who we are).</summary>
sealed class RedisAddress
{
    readonly X509Certificate2Collection? _authorities;
    readonly SslStreamCertificateContext? _certificate;

    RedisAddress(ConfigurationOptions options, Dictionary<string, string> own)
    {
        (Options, User) = (options, own.GetValueOrDefault("user"));
        if (own.TryGetValue("sslca", out var authorities))
            _authorities = Certificates.LoadAuthorities(authorities);
        if (own.TryGetValue("sslcert", out var certificate))
            _certificate = Certificates.Load(certificate, own.GetValueOrDefault("sslkey"));
        if (!options.Ssl && (_authorities is not null || _certificate is not null))
            throw new ArgumentException("sslCa and sslCert want ssl=true");
        options.CertificateValidation += (_, certificate, chain, errors) => IsTrusted(certificate, chain, errors);
        if (_certificate is not null)
            options.CertificateSelection += (_, _, _, _, _) => _certificate.TargetCertificate;
    }

    public ConfigurationOptions Options { get; }

    /// <summary>For Redis' access lists; null for its default user.</summary>
    public string? User { get; }

    /// <exception cref="StoreException">The text names no server, or a file that cannot be read.</exception>
    public static RedisAddress Parse(string text)
    {
        try
        {
            var own = new Dictionary<string, string>();
            var theirs = text.Split(',').Where(part => !TryTake(part, own));
            var options = ConfigurationOptions.Parse(string.Join(',', theirs));
            if (options.EndPoints.Count == 0)
                throw new ArgumentException("it names no host");
            options.SetDefaultPorts();
            return new RedisAddress(options, own);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or OverflowException or IOException
            or UnauthorizedAccessException or CryptographicException)
        {
            throw new StoreException($"The address of Redis cannot be read ({e.Message}): "
                + "give host:port[,password=…][,ssl=true[,sslHost=…][,sslCa=FILE][,sslCert=FILE,sslKey=FILE]].", e);
        }
    }

    public static string Text(EndPoint address) => address is DnsEndPoint dns ? $"{dns.Host}:{dns.Port}" : $"{address}";

    /// <summary>How TLS begins with a server; null without TLS.</summary>
    public SslClientAuthenticationOptions? TlsFor(EndPoint address) => !Options.Ssl
        ? null
        : new SslClientAuthenticationOptions
        {
            TargetHost = string.IsNullOrEmpty(Options.SslHost) ? HostOf(address) : Options.SslHost,
            EnabledSslProtocols = Options.SslProtocols ?? SslProtocols.None,
            ClientCertificateContext = _certificate,
            RemoteCertificateValidationCallback = (_, certificate, chain, errors) => IsTrusted(certificate, chain, errors),
        };

    static bool TryTake(string part, Dictionary<string, string> own)
    {
        var at = part.IndexOf('=', StringComparison.Ordinal);
        var name = at < 0 ? "" : part[..at].Trim().ToLowerInvariant();
        if (name is not ("user" or "sslca" or "sslcert" or "sslkey"))
            return false;
        own[name] = part[(at + 1)..].Trim();
        return true;
    }

    static string HostOf(EndPoint address) => address switch
    {
        DnsEndPoint dns => dns.Host,
        IPEndPoint ip => ip.Address.ToString(),
        _ => $"{address}",
    };

    /// <exception cref="AuthenticationException">It is not, with the reason.</exception>
    bool IsTrusted(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (certificate is null)
            throw new AuthenticationException("the server has no certificate.");
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
        {
            throw new AuthenticationException(
                $"the server's certificate ({certificate.Subject}) is not for this host: name the one it is for with sslHost=….");
        }
        if (_authorities is null)
        {
            return errors == SslPolicyErrors.None ? true : throw new AuthenticationException(
                $"this machine does not trust the server's certificate ({certificate.Subject}): "
                + "name the file of its authority with sslCa=….");
        }
        Certificates.Check(certificate, chain, _authorities, forServers: true);
        return true;
    }
}
