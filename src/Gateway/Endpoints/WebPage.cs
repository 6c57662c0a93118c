using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary>The page at <c>/</c>: static, without any data of its own, so that it needs no key;
/// what it shows it asks for.</summary>
static class WebPage
{
    const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    /// <summary>Paths, with the resource and media type of each.</summary>
    public static readonly FrozenDictionary<string, (string Resource, string Type)> Files =
        new Dictionary<string, (string, string)>
        {
            ["/"] = ("index.html", "text/html; charset=utf-8"),
            ["/page.css"] = ("page.css", "text/css; charset=utf-8"),
            ["/page.js"] = ("page.js", "text/javascript; charset=utf-8"),
        }.ToFrozenDictionary();

    public static async Task HandleAsync(HttpContext http)
    {
        var (resource, type) = Files[http.Request.Path.Value!];
        using var content = typeof(WebPage).Assembly.GetManifestResourceStream("wwwroot/" + resource)!;
        http.Response.ContentType = type;
        http.Response.ContentLength = content.Length;
        http.Response.Headers.ContentSecurityPolicy = Policy;
        http.Response.Headers.CacheControl = "no-cache";
        await content.CopyToAsync(http.Response.Body, http.RequestAborted);
    }
}
