using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

enum GrpcCode
{
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    Aborted = 10,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// <summary>How a gRPC call ends: in trailers, or in the headers of an answer that has not begun.</summary>
static class GrpcStatus
{
    public const string ContentType = "application/grpc";

    public static bool IsCall(HttpContext http) =>
        http.Request.ContentType is { } type && type.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase)
        && (type.Length == ContentType.Length || type[ContentType.Length] is '+' or ';');

    /// <summary>The one table from the HTTP API's errors to gRPC's codes; the cause itself goes along as hearth-code.</summary>
    public static GrpcCode CodeOf(ApiError error) => (error.Status, error.Code) switch
    {
        (_, "turn_cancelled") => GrpcCode.Cancelled,
        (_, "idempotency_conflict") => GrpcCode.AlreadyExists,
        (_, "turn_outcome_unknown") => GrpcCode.Unknown,
        (404, "unknown_url") or (405 or 501, _) => GrpcCode.Unimplemented,
        (401, _) => GrpcCode.Unauthenticated,
        (403, _) => GrpcCode.PermissionDenied,
        (404, _) => GrpcCode.NotFound,
        (409, _) => GrpcCode.Aborted,
        (413 or 429 or 431, _) => GrpcCode.ResourceExhausted,
        (503, _) => GrpcCode.Unavailable,
        (408 or 504, _) => GrpcCode.DeadlineExceeded,
        ( >= 500, _) => GrpcCode.Internal,
        _ => GrpcCode.InvalidArgument,
    };

    public static Task RefuseAsync(HttpContext http, ApiError error)
    {
        http.SetOutcome(error.Code);
        var trailers = Begin(http);
        Write(trailers, CodeOf(error), error.Message);
        trailers["hearth-code"] = error.Code;
        if (error.Param is { } param)
        {
            trailers["hearth-param"] = RequestContext.HeaderSafe(param);
        }
        if (error.RetryAfter is { } after)
        {
            trailers["grpc-retry-pushback-ms"] = ((long)after.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        }
        return http.Response.CompleteAsync();
    }

    public static void Succeed(HttpContext http) => Write(Begin(http), GrpcCode.Ok, "");

    static IHeaderDictionary Begin(HttpContext http)
    {
        if (http.Response.HasStarted)
        {
            return http.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpResponseTrailersFeature>()?.Trailers
                ?? throw new StreamBrokenOffException();
        }
        http.Response.StatusCode = StatusCodes.Status200OK;
        http.Response.ContentType = ContentType;
        http.Response.Headers["grpc-accept-encoding"] = "identity";
        return http.Response.Headers;
    }

    static void Write(IHeaderDictionary trailers, GrpcCode code, string message)
    {
        trailers["grpc-status"] = ((int)code).ToString(CultureInfo.InvariantCulture);
        if (message.Length > 0)
        {
            trailers["grpc-message"] = Escape(message[..Math.Min(message.Length, Limits.GrpcMessageMax)]);
        }
    }

    /// <summary>Visible ASCII but for %, the rest as %XX of its UTF-8.</summary>
    static string Escape(string message)
    {
        var escaped = new StringBuilder(message.Length);
        foreach (var b in Encoding.UTF8.GetBytes(message))
        {
            _ = b is >= 0x20 and <= 0x7E and not (byte)'%'
                ? escaped.Append((char)b)
                : escaped.Append('%').Append(b.ToString("X2", CultureInfo.InvariantCulture));
        }
        return escaped.ToString();
    }
}

/// <summary>Ends a call with an error.</summary>
sealed class GrpcException(ApiError error) : Exception(error.Message)
{
    public ApiError Error => error;
}
