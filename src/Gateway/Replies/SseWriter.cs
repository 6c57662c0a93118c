using System.IO.Pipelines;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary>Writes server-sent events into the response, each flushed by itself. A client that does not take them in time
/// is given up: the timeout's exception ends the request.</summary>
sealed class SseWriter(HttpContext http, TimeProvider time, TimeSpan writeTimeout) : IDisposable
{
    readonly PipeWriter _body = http.Response.BodyWriter;
    readonly Utf8JsonWriter _json = new(http.Response.BodyWriter, JsonReply.Options);

    public static void SetHeaders(HttpContext http)
    {
        http.Response.StatusCode = 200;
        http.Response.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-cache";
        http.Response.Headers["X-Accel-Buffering"] = "no";
    }

    /// <summary>Begins a data line: its JSON goes into the writer returned.</summary>
    public Utf8JsonWriter Begin()
    {
        Raw("data: "u8);
        _json.Reset();
        return _json;
    }

    public void End()
    {
        _json.Flush();
        Raw("\n\n"u8);
    }

    /// <summary>The id line of the event whose data follows.</summary>
    public void Id(StreamPosition position)
    {
        Raw("id: "u8);
        position.TryWrite(_body.GetSpan(Limits.EventIdBytesMax), out var written);
        _body.Advance(written);
        Raw("\n"u8);
    }

    public void Done() => Raw("data: [DONE]\n\n"u8);

    public void Heartbeat() => Raw(": ping\n\n"u8);

    /// <exception cref="TimeoutException">The client took nothing for too long.</exception>
    public async ValueTask FlushAsync()
    {
        var flush = _body.FlushAsync(http.RequestAborted);
        if (flush.IsCompletedSuccessfully)
        {
            _ = flush.Result;
            return;
        }
        await flush.AsTask().WaitAsync(writeTimeout, time, http.RequestAborted);
    }

    void Raw(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_body.GetSpan(bytes.Length));
        _body.Advance(bytes.Length);
    }

    public void Dispose() => _json.Dispose();
}
