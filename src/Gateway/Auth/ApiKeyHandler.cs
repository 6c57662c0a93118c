using System.Net;
using System.Security.Claims;
using Hearth.Contracts;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary>Turns <c>Authorization: Bearer KEY</c> into a tenant with scopes. Without a key file everyone is the tenant
/// <c>local</c>, and only this machine's own clients are administrators.</summary>
sealed class ApiKeyHandler(ApiKeyRing keys, GatewayOptions options) : IAuthenticationHandler
{
    public const string Scheme = "ApiKey";
    public const string TenantClaim = "tenant";
    public const string ScopeClaim = "scope";

    HttpContext _http = null!;

    public Task InitializeAsync(AuthenticationScheme scheme, HttpContext context)
    {
        _http = context;
        return Task.CompletedTask;
    }

    public Task<AuthenticateResult> AuthenticateAsync() => Task.FromResult(keys.Required ? ByKey() : Open());

    public Task ChallengeAsync(AuthenticationProperties? properties)
    {
        _http.Response.Headers.WWWAuthenticate = "Bearer";
        return ErrorReply.SendAsync(_http, ApiError.InvalidKey(keys.Required
            ? _http.Request.Headers.Authorization.Count == 0
                ? "No API key: send it as 'Authorization: Bearer KEY'."
                : "This API key is not known, or is no longer valid."
            : "Pages of other origins may not use this server; allow the origin explicitly."));
    }

    public Task ForbidAsync(AuthenticationProperties? properties) => ErrorReply.SendAsync(_http, ApiError.OfStatus(403, ""));

    AuthenticateResult ByKey()
    {
        const string Prefix = "Bearer ";
        if (_http.Request.Headers.Authorization is not [{ } value] || value.Length > Prefix.Length + Limits.ApiKeyCharsMax
            || !value.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
        {
            return AuthenticateResult.NoResult();
        }
        return keys.Find(value[Prefix.Length..].Trim()) is { } key
            ? Success(key.Tenant, key.Scopes)
            : AuthenticateResult.Fail("unknown key");
    }

    AuthenticateResult Open() =>
        !OriginAllowed() ? AuthenticateResult.Fail("origin")
        : Success(TenantId.Local, IsOwnMachine() ? Scopes.All : [Scopes.Chat, Scopes.Read]);

    // Without keys nothing else tells this machine's user from a web page that the user happens to visit.
    bool OriginAllowed() => _http.Request.Headers.Origin switch
    {
        [] => true,
        [{ } origin] => origin == $"{_http.Request.Scheme}://{_http.Request.Host}" || options.CorsOrigins.Contains(origin),
        _ => false,
    };

    bool IsOwnMachine() => _http.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address)
        && _http.Request.Headers is var headers && !headers.ContainsKey("X-Forwarded-For") && !headers.ContainsKey("Forwarded");

    static AuthenticateResult Success(TenantId tenant, IEnumerable<string> scopes)
    {
        var claims = scopes.Select(s => new Claim(ScopeClaim, s)).Append(new Claim(TenantClaim, tenant.Value));
        var user = new ClaimsPrincipal(new ClaimsIdentity(claims, Scheme));
        return AuthenticateResult.Success(new AuthenticationTicket(user, Scheme));
    }
}
