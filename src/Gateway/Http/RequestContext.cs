using System.Security.Cryptography;
using Hearth.Contracts;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary>What travels with a request beside ASP.NET's own: its id, the tenant of its key, its outcome for the log.</summary>
static class RequestContext
{
    /// <summary>The outcome of a request that nothing else was said of.</summary>
    public const string Good = "ok";

    const string OutcomeKey = "hearth.outcome";

    public static string RequestId(this HttpContext http) => http.TraceIdentifier;

    public static TenantId Tenant(this HttpContext http) =>
        new(http.User.FindFirst(ApiKeyHandler.TenantClaim)?.Value
            ?? throw new InvalidOperationException("An endpoint ran without an authenticated tenant."));

    public static void SetOutcome(this HttpContext http, string outcome) => http.Items[OutcomeKey] = outcome;

    public static string Outcome(this HttpContext http) => http.Items[OutcomeKey] as string ?? Good;

    public static string NewId(string prefix) => prefix + RandomNumberGenerator.GetHexString(32, lowercase: true);

    /// <summary>A header's value made of visible ASCII, whatever the text was.</summary>
    public static string HeaderSafe(string text)
    {
        var cut = text.AsSpan(0, Math.Min(text.Length, Limits.HeaderValueMax));
        return string.Create(cut.Length, cut, static (to, from) =>
        {
            for (var i = 0; i < to.Length; i++)
            {
                to[i] = from[i] is >= ' ' and <= '~' ? from[i] : '?';
            }
        });
    }
}
