using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary>An error as a client sees it: OpenAI's four fields, a status, and whether trying again makes sense.</summary>
/// <param name="ShouldRetry">Overrides what OpenAI's clients do by themselves; null leaves it to them.</param>
sealed record ApiError(int Status, string Type, string Code, string Message, string? Param = null,
    TimeSpan? RetryAfter = null, bool? ShouldRetry = null)
{
    const string Request = "invalid_request_error";
    const string Server = "server_error";
    static readonly TimeSpan s_soon = TimeSpan.FromSeconds(1);

    /// <summary>The one table from causes to HTTP.</summary>
    /// <param name="keyed">Whether the client gave an idempotency key, so that trying again is safe.</param>
    public static ApiError Of(TurnFailure failure, bool keyed = false)
    {
        var (status, type, code) = failure.Error switch
        {
            TurnError.InvalidRequest => (400, Request, "invalid_value"),
            TurnError.ContextLengthExceeded => (400, Request, "context_length_exceeded"),
            TurnError.TemplateFailed => (400, Request, "template_failed"),
            TurnError.ModelNotFound => (404, Request, "model_not_found"),
            TurnError.ConversationNotFound => (404, Request, "not_found"),
            TurnError.IdempotencyConflict => (409, Request, "idempotency_conflict"),
            TurnError.ConversationMoved => (409, Request, "conversation_moved"),
            TurnError.ConversationBusy => (409, Request, "conversation_busy"),
            TurnError.Cancelled => (409, Request, "turn_cancelled"),
            TurnError.Overloaded => (503, Server, "overloaded"),
            TurnError.ModelLoading => (503, Server, "model_loading"),
            TurnError.Draining => (503, Server, "draining"),
            TurnError.Fenced or TurnError.Moved => (503, Server, "owner_moving"),
            TurnError.StoreUnavailable => (503, Server, "store_unavailable"),
            TurnError.DeadlineExceeded => (504, Server, "deadline_exceeded"),
            TurnError.OutcomeUnknown => (500, Server, "turn_outcome_unknown"),
            TurnError.Internal or TurnError.None or _ => (500, Server, "internal_error"),
        };
        return new ApiError(status, type, code, status == 500 && failure.Error != TurnError.OutcomeUnknown
            ? InternalMessage
            : failure.Message, failure.Param)
        {
            RetryAfter = failure.RetryAfter
                ?? (status == 503 || failure.Error == TurnError.ConversationBusy ? s_soon : null),
            ShouldRetry = failure.Error switch
            {
                TurnError.IdempotencyConflict or TurnError.Cancelled => false,
                TurnError.OutcomeUnknown => keyed,
                _ => null,
            },
        };
    }

    public static ApiError Field(string? param, string message) => new(400, Request, "invalid_value", message, param);

    public static ApiError InvalidKey(string message) => new(401, Request, "invalid_api_key", message);

    public static ApiError TenantLimit(int turns) => new(429, "rate_limit_error", "rate_limit_exceeded",
        $"{turns} requests of yours are running, which is the limit: wait for one to end.", null, s_soon);

    public static readonly ApiError Internal = new(500, Server, "internal_error", InternalMessage);

    public static readonly ApiError HeadersTooLarge = OfStatus(431, "");

    /// <summary>What the HTTP layer refuses by itself.</summary>
    public static ApiError OfStatus(int status, string what) => status switch
    {
        403 => new(403, Request, "permission_denied", "This API key does not have the scope that is needed here."),
        404 => new(404, Request, "unknown_url", $"There is nothing at {what}."),
        405 => new(405, Request, "method_not_allowed", $"This method is not served at {what}."),
        408 => new(408, Request, "request_timeout", "The request came too slowly."),
        413 => new(413, Request, "request_too_large", $"The body is larger than {Limits.BodyBytesMax} bytes."),
        415 => new(415, Request, "unsupported_media_type",
            "Send the body as Content-Type: application/json, not compressed."),
        431 => new(431, Request, "headers_too_large",
            $"The headers are more than {Limits.HeadersMax} or larger than {Limits.HeaderBytesMax} bytes."),
        >= 500 => Internal with { Status = status },
        _ => new(status, Request, "bad_request", "The request is malformed."),
    };

    const string InternalMessage = "The server failed on this request; its log says more under this request id.";
}
