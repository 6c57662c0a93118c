using System.Diagnostics;
using Hearth.Actors;
using Hearth.Contracts;

namespace Hearth.Grains.Telemetry;

/// <summary>A silo's spans (source <c>Hearth.Grains</c>). They name the conversation, and never hold a text.</summary>
static class GrainTraces
{
    static readonly ActivitySource _source = new("Hearth.Grains");

    /// <summary>A turn at this silo: of its gateway's trace, and after a move or a takeover too.</summary>
    /// <param name="waited">How long it waited for the turns before it.</param>
    public static Activity? Turn(ChatTurn turn, GrainContext context, TurnOrigin origin, TimeSpan waited)
    {
        var span = _source.StartActivity("turn", ActivityKind.Server, ParentOf(turn.Trace));
        return span?.SetTag("gen_ai.conversation.id", turn.Conversation.Value)
            .SetTag("gen_ai.request.model", turn.Model)
            .SetTag("hearth.turn", turn.Id.Value)
            .SetTag("hearth.silo", context.Silo)
            .SetTag("hearth.epoch", context.Fence.Epoch)
            .SetTag("hearth.mailbox.wait", waited.TotalSeconds)
            .SetTag("hearth.origin", origin.IsBegun ? "migration" : origin.Shown.Count > 0 ? "takeover" : "new");
    }

    public static Activity? Completion(CompletionTurn turn, string silo) =>
        _source.StartActivity("completion", ActivityKind.Server, ParentOf(turn.Trace))
            ?.SetTag("gen_ai.request.model", turn.Model).SetTag("hearth.turn", turn.Id.Value).SetTag("hearth.silo", silo);

    /// <summary>A step of a turn.</summary>
    public static Activity? Step(string name) => _source.StartActivity(name);

    /// <summary>A move, in the trace of the turn that goes along if one runs, else in that of who asked for it.</summary>
    public static Activity? Move(ConversationGrain grain, string silo, string target, string reason)
    {
        var asked = Activity.Current?.Context ?? default;
        var running = ParentOf(grain.Current?.Turn.Trace);
        var span = running == default
            ? _source.StartActivity("migrate", ActivityKind.Client, asked)
            : _source.StartActivity("migrate", ActivityKind.Client, running, links: asked == default ? null : [new(asked)]);
        return span?.SetTag("gen_ai.conversation.id", grain.Context.Id.Name)
            .SetTag("hearth.silo", silo).SetTag("hearth.target", target).SetTag("hearth.reason", reason);
    }

    /// <summary>The other end of it.</summary>
    public static Activity? MoveIn(string conversation, string? trace, string silo, string source) =>
        _source.StartActivity("migrate in", ActivityKind.Server, ParentOf(trace))
            ?.SetTag("gen_ai.conversation.id", conversation).SetTag("hearth.silo", silo).SetTag("hearth.source", source);

    /// <summary>Says how a turn ended.</summary>
    public static void End(Activity? span, IReadOnlyList<TurnEvent> events)
    {
        if (span is null)
            return;
        if (events.OfType<TurnStarted>().FirstOrDefault() is { } started)
        {
            span.SetTag("hearth.cache", GrainMetrics.NameOf(started.Cache))
                .SetTag("gen_ai.usage.input_tokens", started.PromptTokens)
                .SetTag("hearth.cached_tokens", started.CachedTokens);
        }
        if (events is [.., TurnFinished finished])
            span.SetTag("gen_ai.usage.output_tokens", finished.Usage.CompletionTokens);
        else if (events is [.., TurnFailed failed])
            span.SetTag("error.type", failed.Failure.Error.ToString()).SetStatus(ActivityStatusCode.Error);
    }

    /// <summary>The trace id of a traceparent, for a log; empty if there is none.</summary>
    public static string IdOf(string? trace) =>
        ParentOf(trace) is var parent && parent != default ? parent.TraceId.ToString() : "";

    /// <summary>What comes from a peer may be malformed, or of no trace: then it is a trace of its own.</summary>
    static ActivityContext ParentOf(string? trace) =>
        ActivityContext.TryParse(trace, null, isRemote: true, out var parent) ? parent : default;
}
