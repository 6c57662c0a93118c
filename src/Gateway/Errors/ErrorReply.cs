using System.Globalization;
using System.Text.Json;
using Hearth.Contracts;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary>Sends an <see cref="ApiError"/>, as a whole answer or as the body of a stream's last frame.</summary>
static class ErrorReply
{
    public static Task SendAsync(HttpContext http, TurnFailure failure) =>
        SendAsync(http, ApiError.Of(failure, http.Request.Headers.ContainsKey("Idempotency-Key")));

    public static Task SendAsync(HttpContext http, ApiError error)
    {
        if (GrpcStatus.IsCall(http))
        {
            return GrpcStatus.RefuseAsync(http, error);
        }
        var headers = http.Response.Headers;
        if (error.RetryAfter is { } after)
        {
            headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(after.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            headers["retry-after-ms"] = Math.Max(1, (long)after.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        }
        if (error.ShouldRetry is { } retry)
        {
            headers["x-should-retry"] = retry ? "true" : "false";
        }
        http.SetOutcome(error.Code);
        return JsonReply.SendAsync(http, error.Status, json => Write(json, error));
    }

    public static void Write(Utf8JsonWriter json, ApiError error)
    {
        json.WriteStartObject();
        json.WriteStartObject("error");
        json.WriteString("message", error.Message);
        json.WriteString("type", error.Type);
        json.WriteString("param", error.Param);
        json.WriteString("code", error.Code);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
