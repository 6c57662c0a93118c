using System.Net;

namespace Hearth.Gateway;

/// <summary>What an operator may set of the gateway. <see cref="Validate"/> names everything that is wrong with it.</summary>
public sealed record GatewayOptions
{
    /// <summary>Where to listen, such as <c>http://127.0.0.1:8080</c>; port 0 takes a free one.</summary>
    public IReadOnlyList<string> Urls { get; init; } = ["http://127.0.0.1:8080"];

    /// <summary>Where gRPC is served, in the same form; a port of its own, since without TLS it is HTTP/2 with prior knowledge.
    /// None by default.</summary>
    public IReadOnlyList<string> GrpcUrls { get; init; } = [];

    /// <summary>File of API keys, reread when it changes. Lines <c>key [tenant] [scope,scope]</c>, or JSON
    /// <c>{"keys":[{"key"|"sha256", "tenant", "scopes", "expires"}]}</c>.
    /// Without it the server is open to its own machine only.</summary>
    public string? ApiKeyFile { get; init; }

    /// <summary>Serves other machines without API keys, as the one tenant <c>local</c> (but never the admin API).</summary>
    public bool AllowAnonymous { get; init; }

    /// <summary>Accepted Host headers: names, <c>*.domain</c> or <c>*</c>. Empty: the names of this machine's loopback while
    /// the server listens there only, else any.</summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];

    /// <summary>Origins of web pages that may call the API; none by default.</summary>
    public IReadOnlyList<string> CorsOrigins { get; init; } = [];

    /// <summary>A stream silent for this long gets a comment, so that proxies keep it open.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>A client that does not take what is sent for this long is dropped, and its turn cancelled.</summary>
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a turn whose stream has event ids runs on without its client, who may come back for the rest.</summary>
    public TimeSpan ResumeWindow { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long running turns may take to end when the server stops.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Turns in flight; one more is refused at once with 503.</summary>
    public int TurnsMax { get; init; } = 256;

    /// <summary>Turns in flight of one tenant; one more is refused at once with 429.</summary>
    public int TurnsPerTenantMax { get; init; } = 128;

    public int ConnectionsMax { get; init; } = 4096;

    /// <summary>All faults at once, each naming its option and what to do; empty when the options are good.</summary>
    public IReadOnlyList<string> Validate()
    {
        var faults = new List<string>();
        if (Urls.Count == 0)
        {
            faults.Add("Urls: name at least one, such as http://127.0.0.1:8080.");
        }
        foreach (var (name, url) in Urls.Select(u => (nameof(Urls), u)).Concat(GrpcUrls.Select(u => (nameof(GrpcUrls), u))))
        {
            if (!IsListenUrl(url))
            {
                faults.Add($"{name}: '{url}' is not of the form http://HOST:PORT.");
            }
            else if (ApiKeyFile is null && !AllowAnonymous && !IsLoopback(url))
            {
                faults.Add(
                    $"{name}: '{url}' is open to other machines; give an API key file, or allow anonymous use explicitly.");
            }
        }
        if (ApiKeyFile is not null && !File.Exists(ApiKeyFile))
        {
            faults.Add($"ApiKeyFile: '{ApiKeyFile}' does not exist.");
        }
        foreach (var origin in CorsOrigins)
        {
            if (!Uri.TryCreate(origin, UriKind.Absolute, out var uri) || uri.GetLeftPart(UriPartial.Authority) != origin)
            {
                faults.Add($"CorsOrigins: '{origin}' is not an origin such as https://chat.example.com.");
            }
        }
        AtLeast(faults, nameof(Heartbeat), Heartbeat.TotalMilliseconds, 1);
        AtLeast(faults, nameof(WriteTimeout), WriteTimeout.TotalMilliseconds, 1);
        AtLeast(faults, nameof(DrainTimeout), DrainTimeout.TotalMilliseconds, 0);
        AtLeast(faults, nameof(ResumeWindow), ResumeWindow.TotalMilliseconds, 0);
        AtLeast(faults, nameof(TurnsMax), TurnsMax, 1);
        AtLeast(faults, nameof(TurnsPerTenantMax), TurnsPerTenantMax, 1);
        AtLeast(faults, nameof(ConnectionsMax), ConnectionsMax, 1);
        return faults;
    }

    internal bool IsLoopbackOnly => Urls.Concat(GrpcUrls).All(IsLoopback);

    static void AtLeast(List<string> faults, string name, double value, double least)
    {
        if (value < least)
        {
            faults.Add($"{name}: {value} is less than {least}.");
        }
    }

    static bool IsListenUrl(string url) =>
        url.StartsWith("http://", StringComparison.OrdinalIgnoreCase)
        && Uri.TryCreate(url.Replace("//*", "//0.0.0.0", StringComparison.Ordinal)
            .Replace("//+", "//0.0.0.0", StringComparison.Ordinal), UriKind.Absolute, out var uri)
        && uri.PathAndQuery == "/";

    static bool IsLoopback(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri)
        && (uri.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(uri.Host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address)));
}
