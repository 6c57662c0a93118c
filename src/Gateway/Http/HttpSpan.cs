using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Hearth.Gateway;

/// <summary>Gives the span that ASP.NET begins for a request the name and the attributes of OpenTelemetry's conventions. The
/// route, never the path's values.</summary>
static class HttpSpan
{
    public static void Use(WebApplication app) => app.Use(async (http, next) =>
    {
        if (http.Features.Get<IHttpActivityFeature>()?.Activity is not { IsAllDataRequested: true } span)
        {
            await next(http);
            return;
        }
        var route = (http.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText;
        span.DisplayName = route is null ? http.Request.Method : $"{http.Request.Method} {route}";
        span.SetTag("http.request.method", http.Request.Method).SetTag("http.route", route)
            .SetTag("url.scheme", http.Request.Scheme).SetTag("network.protocol.name", "http")
            .SetTag("hearth.request", http.TraceIdentifier);
        try
        {
            await next(http);
        }
        finally
        {
            span.SetTag("http.response.status_code", http.Response.StatusCode);
            if (http.Response.StatusCode >= 500)
            {
                span.SetStatus(ActivityStatusCode.Error);
            }
        }
    });
}
