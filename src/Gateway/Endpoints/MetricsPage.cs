using System.Reflection;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary><c>GET /metrics</c>.</summary>
sealed class MetricsPage(MetricsCollector collector)
{
    public Task HandleAsync(HttpContext http)
    {
        http.Response.ContentType = PrometheusText.ContentType;
        var text = PrometheusText.Write(collector.Collect(), collector.Dropped, Version);
        return http.Response.WriteAsync(text, http.RequestAborted);
    }

    static readonly string Version = typeof(MetricsPage).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!
        .InformationalVersion.Split('+')[0];
}
