using System.Text.Json;
using Hearth.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;

namespace Hearth.Gateway;

/// <summary><c>GET /health/live|ready|startup</c>, for anyone.</summary>
sealed class Health(Func<ClusterStatus> tell, IHostApplicationLifetime lifetime, Leaving leaving)
{
    /// <summary>The process answers: nothing else counts, or a slow cluster would get healthy gateways restarted.</summary>
    public static Task LiveAsync(HttpContext http) => SendAsync(http, true, "live", "", null);

    /// <summary>Turns are accepted now.</summary>
    public Task ReadyAsync(HttpContext http)
    {
        var status = tell();
        if (leaving.HasBegun || lifetime.ApplicationStopping.IsCancellationRequested)
        {
            return SendAsync(http, false, "draining", "the server is stopping", null);
        }
        var name = status.Ready ? "ready" : status.Started ? "not_ready" : "loading";
        return SendAsync(http, status.Ready, name, status.Reason, null);
    }

    /// <summary>Loading is over; until then, how far it is.</summary>
    public Task StartupAsync(HttpContext http)
    {
        var status = tell();
        return SendAsync(http, status.Started, status.Started ? "started" : "loading", status.Reason, status.Progress);
    }

    static Task SendAsync(HttpContext http, bool good, string status, string reason, double? progress)
    {
        if (!good)
        {
            http.Response.Headers.RetryAfter = "1";
        }
        return JsonReply.SendAsync(http, good ? 200 : 503, json => Write(json, status, reason, progress));
    }

    static void Write(Utf8JsonWriter json, string status, string reason, double? progress)
    {
        json.WriteStartObject();
        json.WriteString("status", status);
        if (reason.Length > 0)
        {
            json.WriteString("reason", reason);
        }
        if (progress is { } part)
        {
            json.WriteNumber("progress", double.IsFinite(part) ? Math.Clamp(part, 0, 1) : 0);
        }
        json.WriteEndObject();
    }
}
