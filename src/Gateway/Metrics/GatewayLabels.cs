namespace Hearth.Gateway;

/// <summary>The labels of the gateway's metrics, and the values that they may have.</summary>
static class GatewayLabels
{
    /// <summary>Every code of <see cref="ApiError"/> that a turn can end with.</summary>
    static readonly string[] s_codes =
    [
        "invalid_value", "context_length_exceeded", "template_failed", "model_not_found", "not_found", "idempotency_conflict",
        "conversation_moved", "conversation_busy", "turn_cancelled", "overloaded", "model_loading", "draining", "owner_moving",
        "store_unavailable", "deadline_exceeded", "turn_outcome_unknown", "internal_error", "rate_limit_exceeded",
        MetricLabel.Other,
    ];

    static readonly string[] s_outcomes = [RequestContext.Good, "cancelled", "slow_client", .. s_codes];

    public static KeyValuePair<string, object?> Operation { get; } =
        new("operation", new[] { "chat", "text_completion", "resume", "grpc_turn", "grpc_resume" });

    public static KeyValuePair<string, object?> Outcome { get; } = new("outcome", s_outcomes);

    public static KeyValuePair<string, object?> Cache { get; } =
        new("cache", new[] { "new", "hit", "restored", "pulled", "recomputed", "none" });

    public static KeyValuePair<string, object?> Code { get; } = new("code", s_codes);

    public static KeyValuePair<string, object?> Tokens { get; } = new("type", new[] { "prompt", "cached", "completion" });

    public static KeyValuePair<string, object?> How { get; } = new("how", new[] { "cached", "located", "placed", "moved" });

    public static KeyValuePair<string, object?> Fault { get; } =
        new("fault", new[] { "unreachable", "lost", "aborted", "deadline", "refused", "failed" });

    public static KeyValuePair<string, object?> GenAiOperation { get; } =
        new("gen_ai.operation.name", new[] { "chat", "text_completion" });

    public static KeyValuePair<string, object?> GenAiModel { get; } = new("gen_ai.request.model", null);

    public static KeyValuePair<string, object?> GenAiError { get; } =
        new("error.type", new[] { "cancelled", "slow_client" }.Concat(s_codes).ToArray());

    /// <summary>Whether it is a request of a model, and not the rest of one's stream.</summary>
    public static bool IsNew(TurnRecord record) => record.Operation is "chat" or "text_completion" or "grpc_turn";

    public static KeyValuePair<string, object?> OperationOf(TurnRecord record) =>
        new(GenAiOperation.Key, record.Operation == "text_completion" ? "text_completion" : "chat");

    public static KeyValuePair<string, object?> ModelOf(TurnRecord record) => new(GenAiModel.Key, record.Model);
}
