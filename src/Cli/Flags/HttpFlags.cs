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

    public static IReadOnlyList<Option> All { get; } = [Urls, GrpcUrls, ApiKeyFile, Anonymous, AllowedHosts, CorsOrigins];

    public static GatewayOptions Read(ParseResult arguments) => new()
    {
        Urls = Flag.List(arguments.GetValue(Urls)),
        GrpcUrls = Flag.List(arguments.GetValue(GrpcUrls)),
        ApiKeyFile = arguments.GetValue(ApiKeyFile),
        AllowAnonymous = arguments.GetValue(Anonymous),
        AllowedHosts = Flag.List(arguments.GetValue(AllowedHosts)),
        CorsOrigins = Flag.List(arguments.GetValue(CorsOrigins)),
    };
}
