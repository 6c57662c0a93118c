using System.Diagnostics;
using Hearth.Contracts;
using Hearth.Engine.Scheduling;

namespace Hearth.Engine;

/// <summary>The parts of a sequence as spans of the trace that asked for it (source <c>Hearth.Engine</c>), told once it has
/// ended: queue, restore, prefill, and decode with an event for each group of steps. Never its tokens.</summary>
static class EngineTraces
{
    static readonly ActivitySource _source = new("Hearth.Engine");

    public static bool IsOn => _source.HasListeners();

    /// <param name="clock">Of the marks.</param>
    public static void Tell(Sequence sequence, in TokenChunk last, TimeProvider clock)
    {
        var marks = sequence.Marks;
        if (marks.Trace == default || !IsOn)
        {
            return;
        }

        var now = clock.GetTimestamp();
        var wall = clock.GetUtcNow().UtcDateTime;
        Span("queue", marks.Submitted, marks.Started > 0 ? marks.Started : now)?.Dispose();
        if (marks.Restored > marks.Started && sequence.RestoredFrom is { } source)
        {
            using var restore = Span("restore", marks.Started, marks.Restored);
            restore?.SetTag("hearth.source", source.Spill.Origin == CacheOrigin.Pulled ? "peer" : "store");
        }

        if (marks.Started > 0)
        {
            using var prefill = Span(
                "prefill", Math.Max(marks.Started, marks.Restored), marks.Tokens > 0 ? marks.FirstToken : now);
            prefill?.SetTag("gen_ai.usage.input_tokens", sequence.PromptLength);
        }

        if (marks.Tokens > 0)
        {
            using var decode = Span("decode", marks.FirstToken, marks.LastToken);
            decode?.SetTag("gen_ai.usage.output_tokens", marks.Tokens);
            if (last.Failure is { } failure)
            {
                decode?.SetStatus(ActivityStatusCode.Error).SetTag("error.type", failure.Error.ToString());
            }

            foreach (var (i, at) in marks.Groups.Index())
            {
                decode?.AddEvent(new ActivityEvent("steps", Wall(at),
                    new ActivityTagsCollection { ["hearth.tokens"] = (i + 1) * SequenceMarks.GroupTokens }));
            }
        }

        Activity? Span(string name, long from, long to)
        {
            var span = _source.StartActivity(name, ActivityKind.Internal, marks.Trace, startTime: Wall(from));
            return span?.SetEndTime(Wall(Math.Max(to, from + 1)).UtcDateTime);
        }

        DateTimeOffset Wall(long at) => new(wall - clock.GetElapsedTime(at, now));
    }
}
