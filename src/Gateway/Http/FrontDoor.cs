using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary>What every request passes first: its id, the security headers, the header limits and the Host check.</summary>
sealed class FrontDoor(RequestDelegate next, GatewayOptions options, Leaving leaving)
{
    static readonly SearchValues<char> s_idCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-");

    readonly IReadOnlyList<string> _hosts = options switch
    {
        { AllowedHosts.Count: > 0 } => options.AllowedHosts,
        // A page that rebinds its name to 127.0.0.1 must not reach a server without keys.
        { IsLoopbackOnly: true } => ["localhost", "127.0.0.1", "[::1]"],
        _ => ["*"],
    };

    public Task InvokeAsync(HttpContext http)
    {
        http.TraceIdentifier = http.Request.Headers["X-Client-Request-Id"] is [{ Length: > 0 and <= Limits.RequestIdMax } given]
            && !given.AsSpan().ContainsAnyExcept(s_idCharacters) ? given : RequestContext.NewId("req_");

        var headers = http.Response.Headers;
        headers["x-request-id"] = http.TraceIdentifier;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers.ContentSecurityPolicy = "default-src 'none'; frame-ancestors 'none'";
        headers.CacheControl = "no-store";
        if (HttpProtocol.IsHttp11(http.Request.Protocol))
        {
            http.Response.OnStarting(CloseWhenLeavingAsync, http);
        }

        return HeadersFit(http.Request.Headers) switch
        {
            false => ErrorReply.SendAsync(http, ApiError.HeadersTooLarge),
            true when !HostAllowed(http.Request.Host.Host) =>
                ErrorReply.SendAsync(http, ApiError.Field(null, "This server does not answer to the name in the Host header.")),
            true => next(http),
        };
    }

    Task CloseWhenLeavingAsync(object http)
    {
        if (leaving.HasBegun)
        {
            ((HttpContext)http).Response.Headers.Connection = "close";
        }
        return Task.CompletedTask;
    }

    static bool HeadersFit(IHeaderDictionary headers)
    {
        var bytes = 0;
        var count = 0;
        foreach (var (name, values) in headers)
        {
            foreach (var value in values)
            {
                count++;
                bytes += name.Length + (value?.Length ?? 0) + 4;
            }
        }
        return count <= Limits.HeadersMax && bytes <= Limits.HeaderBytesMax;
    }

    bool HostAllowed(string host) => _hosts.Any(allowed => allowed == "*"
        || allowed.Equals(host, StringComparison.OrdinalIgnoreCase)
        || (allowed.StartsWith("*.", StringComparison.Ordinal)
            && host.EndsWith(allowed[1..], StringComparison.OrdinalIgnoreCase)));
}
