using System.CommandLine;
using Hearth.Gateway;

namespace Hearth.Cli;

/// <summary>The flags of a process that serves the API.</summary>
static class HttpFlags
{
    public static Option<string?> Urls { get; } = Flag.Text("--urls", "Where to listen, separated by ;", "http://127.0.0.1:8080");

    public static Option<string?> GrpcUrls { get; } =
        Flag.Text("--grpc-urls", "Where to serve gRPC (HTTP/2 without TLS), separated by ;, such as http://127.0.0.1:8082");

    public static Option<string?> ApiKeyFile { get; } = Flag.Text("--api-key-file", "File with lines of: key tenant scopes");

    public static Option<bool> Anonymous { get; } = Flag.Switch("--allow-anonymous", "Serve other machines without keys");

    public static Option<string?> AllowedHosts { get; } = Flag.Text("--allowed-hosts", "Accepted Host headers, separated by ;");

    public static Option<string?> CorsOrigins { get; } =
        Flag.Text("--cors-origins", "Web pages that may call the API, separated by ;");

    public static Option<int> TurnsMax { get; } = Flag.Number("--max-turns", "Turns in flight; one more is refused at once", 256);

    public static Option<int> TenantTurnsMax { get; } =
        Flag.Number("--max-turns-per-tenant", "Turns in flight of one tenant; one more is refused at once", 128);

    public static Option<int> ConnectionsMax { get; } = Flag.Number("--max-connections", "Open connections", 4096);

    public static IReadOnlyList<Option> All { get; } =
        [Urls, GrpcUrls, ApiKeyFile, Anonymous, AllowedHosts, CorsOrigins, TurnsMax, TenantTurnsMax, ConnectionsMax];

    public static GatewayOptions Read(ParseResult arguments) => new()
    {
        Urls = Flag.List(arguments.GetValue(Urls)),
        GrpcUrls = Flag.List(arguments.GetValue(GrpcUrls)),
        ApiKeyFile = arguments.GetValue(ApiKeyFile),
        AllowAnonymous = arguments.GetValue(Anonymous),
        AllowedHosts = Flag.List(arguments.GetValue(AllowedHosts)),
        CorsOrigins = Flag.List(arguments.GetValue(CorsOrigins)),
        TurnsMax = arguments.GetValue(TurnsMax),
        TurnsPerTenantMax = arguments.GetValue(TenantTurnsMax),
        ConnectionsMax = arguments.GetValue(ConnectionsMax),
    };
}
