using System.Diagnostics;
using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary>What a request asks of a model, as its span and its log tell of it: never a text.</summary>
/// <param name="Operation">As the metrics name it.</param>
/// <param name="Model">Empty for the rest of a stream.</param>
/// <param name="Conversation">Empty for a completion.</param>
sealed record TurnSubject(
    string Operation, string Model, string Conversation, string Turn, GenerationOptions? Generation, bool IsStream);

/// <summary>A gateway's spans (source <c>Hearth.Gateway</c>), named as OpenTelemetry's conventions for generative models have
/// it.</summary>
static class TurnTrace
{
    static readonly ActivitySource s_source = new("Hearth.Gateway");

    public static Activity? Begin(TurnSubject subject)
    {
        var operation = subject.Operation == "text_completion" ? "text_completion" : "chat";
        var span = s_source.StartActivity(
            subject.Model.Length > 0 ? $"{operation} {subject.Model}" : operation, ActivityKind.Internal);
        if (span is null)
        {
            return null;
        }
        span.SetTag("gen_ai.operation.name", operation).SetTag("gen_ai.provider.name", "hearth")
            .SetTag("gen_ai.request.model", NullIfEmpty(subject.Model)).SetTag("hearth.operation", subject.Operation)
            .SetTag("gen_ai.conversation.id", NullIfEmpty(subject.Conversation)).SetTag("gen_ai.response.id", subject.Turn)
            .SetTag("hearth.stream", subject.IsStream);
        if (subject.Generation is { } generation)
        {
            span.SetTag("gen_ai.request.max_tokens", generation.MaxTokens)
                .SetTag("gen_ai.request.choice.count", generation.Choices)
                .SetTag("gen_ai.request.temperature", generation.Sampling.Temperature)
                .SetTag("gen_ai.request.top_p", generation.Sampling.TopP)
                .SetTag("gen_ai.request.seed", generation.Sampling.Seed);
        }
        return span;
    }

    public static void End(Activity? span, TurnRecord record, string outcome)
    {
        if (span is null)
        {
            return;
        }
        span.SetTag("hearth.cache", record.Cache).SetTag("hearth.silo", record.Silo)
            .SetTag("gen_ai.usage.input_tokens", record.Usage.PromptTokens)
            .SetTag("gen_ai.usage.output_tokens", record.Usage.CompletionTokens)
            .SetTag("hearth.cached_tokens", record.Usage.CachedTokens);
        if (outcome != RequestContext.Good)
        {
            span.SetTag("error.type", outcome).SetStatus(ActivityStatusCode.Error);
        }
        else if (record.Reasons.Count > 0)
        {
            span.SetTag("gen_ai.response.finish_reasons",
                record.Reasons.Select(r => r == FinishReason.Length ? "length" : "stop").ToArray());
        }
    }

    /// <summary>A call to a silo.</summary>
    public static Activity? Call(string silo, string address)
    {
        var colon = address.LastIndexOf(':');
        return s_source.StartActivity("peer", ActivityKind.Client)?.SetTag("hearth.silo", silo)
            .SetTag("server.address", colon > 0 ? address[..colon] : address)
            .SetTag("server.port", colon > 0 && int.TryParse(address.AsSpan(colon + 1), out var port) ? port : null);
    }

    /// <summary>As peers are told of it: also where nobody follows it, so that logs can be put together.</summary>
    public static string? Current => Activity.Current is { IdFormat: ActivityIdFormat.W3C } current ? current.Id : null;

    static string? NullIfEmpty(string text) => text.Length > 0 ? text : null;
}
