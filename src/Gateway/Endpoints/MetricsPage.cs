using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Hearth.Gateway;

/// <summary><c>GET /metrics</c>: OpenMetrics for who prefers it, else Prometheus' text.</summary>
sealed class MetricsPage(MetricsCollector collector)
{
    public Task HandleAsync(HttpContext http)
    {
        var openMetrics = WantsOpenMetrics(http.Request.Headers.Accept);
        http.Response.ContentType = openMetrics ? PrometheusText.OpenMetricsType : PrometheusText.ContentType;
        http.Response.Headers.Vary = HeaderNames.Accept;
        return http.Response.WriteAsync(PrometheusText.Write(collector.Collect(), openMetrics), http.RequestAborted);
    }

    /// <summary>Whether an Accept header puts OpenMetrics, in a version that is known, above plain text.</summary>
    internal static bool WantsOpenMetrics(IList<string?> accept)
    {
        if (!MediaTypeHeaderValue.TryParseList([.. accept.OfType<string>()], out var ranges))
        {
            return false;
        }
        var open = Weight(ranges, r => r.MediaType == "application/openmetrics-text"
            && (Version(r) is null or "1.0.0" or "0.0.1"));
        return open > 0 && open >= Weight(ranges, r => r.MediaType == "text/plain" && Version(r) is null or "0.0.4");

        static double Weight(IList<MediaTypeHeaderValue> ranges, Func<MediaTypeHeaderValue, bool> fits) =>
            ranges.Where(fits).Select(r => r.Quality ?? 1).DefaultIfEmpty(0).Max();

        static string? Version(MediaTypeHeaderValue range) =>
            range.Parameters.FirstOrDefault(p => p.Name == "version")?.GetUnescapedValue().Value;
    }
}
