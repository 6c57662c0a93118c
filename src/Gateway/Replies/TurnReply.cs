using System.Globalization;
using Hearth.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Hearth.Gateway;

/// <summary>Sends a turn's events to the client, as a stream or as a whole. The headers wait for the turn's start, since they
/// say where it runs and what the cache served; a stream whose turn waits for long begins without those. A reply is closed only
/// after the turn's commit.</summary>
sealed class TurnReply(GatewayOptions options, TimeProvider time, GatewayMetrics metrics, ILogger<TurnReply> logger)
{
    public Task SendAsync(HttpContext http, IAsyncEnumerable<TurnEvent> turn, ReplyFormat format, TurnSubject subject) =>
        SendAsync(http, turn, subject, IsResumable(http, format), async (events, started, record) =>
        {
            format.Begin(started);
            await (format.Head.Delivery.Stream
                ? StreamAsync(http, events, format, record, IsResumable(http, format), StreamPosition.Start)
                : WholeAsync(http, events, format, record));
        });

    /// <summary>Goes on with a turn's stream after a place in it: what the turn's own stream sent or would have sent from there
    /// on.</summary>
    public Task ResumeAsync(HttpContext http, IAsyncEnumerable<TurnEvent> turn, StreamPosition after, Delivery delivery,
        TurnSubject subject) =>
        SendAsync(http, turn, subject, true, async (events, started, record) =>
        {
            if (started.IsAnew && after.CompareTo(StreamPosition.Start) > 0)
            {
                await ErrorReply.SendAsync(http, new TurnFailure(TurnError.ConversationMoved,
                    "The reply was made again, and the order of its choices may be another one: send the turn again."));
                return;
            }
            metrics.Resumed();
            var format = new ChatFormat(
                new ReplyHead(ChatFormat.IdPrefix, started.Model, started.Choices, started.Logprobs, delivery));
            format.Begin(started);
            await StreamAsync(http, events, format, record, true, after);
        });

    static bool IsResumable(HttpContext http, ReplyFormat format) =>
        format.Head.Delivery.Stream && format is ChatFormat && StreamPosition.IsWanted(http);

    async Task SendAsync(HttpContext http, IAsyncEnumerable<TurnEvent> turn, TurnSubject subject, bool resumable,
        Func<TurnEvents, TurnStarted, TurnRecord, Task> sendReply)
    {
        using var scope = Log.Scope(logger, subject);
        using var span = TurnTrace.Begin(subject);
        var record = metrics.Begin(subject.Operation, subject.Model);
        try
        {
            await using var events = new TurnEvents(
                turn, time, resumable ? options.ResumeWindow : TimeSpan.Zero, http.RequestAborted);
            var first = subject.IsStream ? await StartAsync(http, events, subject) : await events.NextAsync();
            switch (first)
            {
                case TurnStarted started:
                    Note(record, started);
                    if (!http.Response.HasStarted)
                    {
                        SetHeaders(http, started, record);
                    }
                    await sendReply(events, started, record);
                    break;
                case TurnFailed failed when http.Response.HasStarted:
                    using (var sse = new SseWriter(http, time, options.WriteTimeout))
                    {
                        await BreakOffAsync(http, sse, failed.Failure);
                    }
                    break;
                case TurnFailed failed:
                    await ErrorReply.SendAsync(http, failed.Failure);
                    break;
                case var other:
                    throw new InvalidOperationException($"A turn began with {other.GetType().Name}.");
            }
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            http.SetOutcome("cancelled");
        }
        catch (TimeoutException)
        {
            http.SetOutcome("slow_client");
            Log.SlowClient(logger, http.RequestId(), options.WriteTimeout.TotalSeconds);
            http.Abort();
        }
        finally
        {
            metrics.End(record, http.Outcome());
            TurnTrace.End(span, record, http.Outcome());
            Log.TurnDone(logger, http.RequestId(), subject.Operation, http.Outcome(),
                record.Usage.PromptTokens, record.Usage.CachedTokens, record.Usage.CompletionTokens,
                (long)time.GetElapsedTime(record.StartedAt).TotalMilliseconds);
        }
    }

    /// <summary>Waits for a stream's first event. One that waits in a queue is kept open with comments: its headers go out
    /// without what is not known yet.</summary>
    async ValueTask<TurnEvent> StartAsync(HttpContext http, TurnEvents events, TurnSubject subject)
    {
        var first = await events.NextAsync(options.Heartbeat);
        if (first is not null)
        {
            return first;
        }
        SseWriter.SetHeaders(http);
        SetHeaders(http, subject.Conversation, subject.Turn);
        await http.Response.StartAsync(http.RequestAborted);
        using var sse = new SseWriter(http, time, options.WriteTimeout);
        do
        {
            sse.Heartbeat();
            await sse.FlushAsync();
            first = await events.NextAsync(options.Heartbeat);
        }
        while (first is null);
        return first;
    }

    async Task StreamAsync(HttpContext http, TurnEvents events, ReplyFormat format, TurnRecord record, bool withIds,
        StreamPosition after)
    {
        if (!http.Response.HasStarted)
        {
            SseWriter.SetHeaders(http);
        }
        using var counted = metrics.Streams();
        using var sse = new SseWriter(http, time, options.WriteTimeout);
        var chunks = new ChunkWriter(sse, withIds, after);
        var reasons = new FinishReason[format.Head.Choices];
        for (var i = 0; i < reasons.Length && format.HasOpening; i++)
        {
            if (chunks.Begin(isLast: i == reasons.Length - 1) is { } json)
            {
                format.Opening(json, i);
                chunks.End();
            }
        }
        await http.Response.StartAsync(http.RequestAborted);
        await sse.FlushAsync();
        while (true)
        {
            var happened = await events.NextAsync(options.Heartbeat);
            chunks.At(happened?.Sequence ?? 0);
            switch (happened)
            {
                case null:
                    sse.Heartbeat();
                    break;
                case TurnDelta { Text: "", Logprobs: [] }:
                    continue;
                case TurnDelta delta when chunks.Begin(isLast: true) is { } json:
                    metrics.FirstText(record);
                    format.Delta(json, delta);
                    chunks.End();
                    break;
                case ChoiceFinished choice:
                    reasons[choice.Choice] = choice.Reason;
                    record.Reasons.Add(choice.Reason);
                    continue;
                case TurnFinished finished:
                    record.Usage = finished.Usage;
                    await CloseAsync(sse, chunks, format, reasons, finished.Usage);
                    return;
                case TurnFailed failed:
                    await BreakOffAsync(http, sse, failed.Failure);
                    return;
                default:
                    continue;
            }
            await sse.FlushAsync();
        }
    }

    static async Task CloseAsync(SseWriter sse, ChunkWriter chunks, ReplyFormat format, FinishReason[] reasons, Usage usage)
    {
        for (var i = 0; i < reasons.Length; i++)
        {
            if (chunks.Begin(isLast: false) is { } json)
            {
                format.End(json, i, reasons[i]);
                chunks.End();
                await sse.FlushAsync();
            }
        }
        if (format.Head.Delivery.IncludeUsage && chunks.Begin(isLast: false) is { } last)
        {
            format.UsageChunk(last, usage);
            chunks.End();
            await sse.FlushAsync();
        }
        chunks.Done();
        await sse.FlushAsync();
    }

    // A failed stream must never look complete, also to clients that overlook the error: no [DONE], and the connection breaks.
    static async Task BreakOffAsync(HttpContext http, SseWriter sse, TurnFailure failure)
    {
        var error = ApiError.Of(failure);
        http.SetOutcome(error.Code);
        ErrorReply.Write(sse.Begin(), error);
        sse.End();
        await sse.FlushAsync();
        throw new StreamBrokenOffException();
    }

    async Task WholeAsync(HttpContext http, TurnEvents events, ReplyFormat format, TurnRecord record)
    {
        var choices = new ChoiceText[format.Head.Choices];
        for (var i = 0; i < choices.Length; i++)
        {
            choices[i] = new ChoiceText();
        }
        while (true)
        {
            switch (await events.NextAsync())
            {
                case TurnDelta delta:
                    metrics.FirstText(record);
                    choices[delta.Choice].Text.Append(delta.Text);
                    choices[delta.Choice].Logprobs.AddRange(delta.Logprobs);
                    break;
                case ChoiceFinished choice:
                    choices[choice.Choice].Reason = choice.Reason;
                    record.Reasons.Add(choice.Reason);
                    break;
                case TurnFinished finished:
                    record.Usage = finished.Usage;
                    await JsonReply.SendAsync(http, 200, json => format.Whole(json, choices, finished.Usage));
                    return;
                case TurnFailed failed:
                    await ErrorReply.SendAsync(http, failed.Failure);
                    return;
            }
        }
    }

    void SetHeaders(HttpContext http, TurnStarted started, TurnRecord record)
    {
        var headers = http.Response.Headers;
        headers["openai-processing-ms"] =
            ((long)time.GetElapsedTime(record.StartedAt).TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        SetHeaders(http, started.Conversation.Value, started.Turn.Value);
        headers["x-hearth-silo"] = RequestContext.HeaderSafe(started.Silo);
        headers["x-hearth-cache"] = NameOf(started.Cache);
        if (started.CacheReason is { Length: > 0 } reason)
        {
            headers["x-hearth-cache-reason"] = RequestContext.HeaderSafe(reason);
        }
    }

    /// <param name="conversation">Empty where it is not known before the turn starts.</param>
    static void SetHeaders(HttpContext http, string? conversation, string turn)
    {
        if (conversation is { Length: > 0 })
        {
            http.Response.Headers["x-hearth-conversation"] = RequestContext.HeaderSafe(conversation);
        }
        http.Response.Headers["x-hearth-turn"] = RequestContext.HeaderSafe(turn);
    }

    static void Note(TurnRecord record, TurnStarted started)
    {
        (record.Cache, record.Silo) = (NameOf(started.Cache), started.Silo);
        record.Usage = new Usage(started.PromptTokens, 0, started.CachedTokens);
    }

    public static string NameOf(CacheOrigin origin) => origin switch
    {
        CacheOrigin.New => "new",
        CacheOrigin.Hit => "hit",
        CacheOrigin.Restored => "restored",
        CacheOrigin.Pulled => "pulled",
        CacheOrigin.Recomputed => "recomputed",
        _ => throw new ArgumentOutOfRangeException(nameof(origin), origin, null),
    };
}
