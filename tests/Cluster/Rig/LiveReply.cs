using System.Text;
using System.Text.Json.Nodes;

namespace Hearth.Cluster.Tests.Rig;

/// <summary>A streamed reply, read line by line as <c>curl -N</c> shows it.</summary>
public sealed class LiveReply(HttpResponseMessage response, Stream stream) : IDisposable
{
    readonly StreamReader _reader = new(stream);
    readonly StringBuilder _text = new();

    public string Conversation => GatewayClient.Header(response, "x-hearth-conversation");
    public string Turn => GatewayClient.Header(response, "x-hearth-turn");
    public string Silo => GatewayClient.Header(response, "x-hearth-silo");

    /// <summary>Text so far.</summary>
    public string Text => _text.ToString();

    /// <summary>Events with text so far.</summary>
    public int Pieces { get; private set; }

    /// <summary>The id of the last event that had one.</summary>
    public string LastId { get; private set; } = "";

    /// <summary>Ids of all events in order.</summary>
    public List<string> Ids { get; } = [];
    public string? FinishReason { get; private set; }

    /// <summary>[DONE] was seen: the reply is whole.</summary>
    public bool IsDone { get; private set; }

    /// <summary>The body of an error event.</summary>
    public string? Error { get; private set; }
    public JsonNode? Usage { get; private set; }

    /// <summary>Told of every chunk: the event's id, what kind of chunk it is, and its text.</summary>
    public Action<string, string, string>? OnEvent { get; set; }

    /// <summary>Reads until this much text has come or the stream has ended.</summary>
    public async Task<bool> ReadAsync(int pieces, CancellationToken cancellationToken)
    {
        while (Pieces < pieces)
        {
            if (!await NextAsync(cancellationToken))
                return false;
        }
        return true;
    }

    /// <summary>Reads to the end; a stream that breaks off throws.</summary>
    public async Task<string> ReadToEndAsync(CancellationToken cancellationToken)
    {
        while (await NextAsync(cancellationToken))
        {
        }
        return Text;
    }

    public void Dispose()
    {
        _reader.Dispose();
        response.Dispose();
    }

    async Task<bool> NextAsync(CancellationToken cancellationToken)
    {
        while (await _reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.StartsWith("id: ", StringComparison.Ordinal))
                Ids.Add(LastId = line[4..]);
            if (!line.StartsWith("data: ", StringComparison.Ordinal))
                continue;
            if (line == "data: [DONE]")
            {
                IsDone = true;
                OnEvent?.Invoke(LastId, "finished", "");
                return false;
            }
            Take(JsonNode.Parse(line[6..])!, line);
            return true;
        }
        return false;
    }

    void Take(JsonNode chunk, string line)
    {
        if (chunk["error"] is not null)
            Error = line;
        Usage = chunk["usage"] ?? Usage;
        if (Error is not null || chunk["choices"] is not JsonArray { Count: > 0 } choices)
            return;
        FinishReason = choices[0]!["finish_reason"]?.GetValue<string>() ?? FinishReason;
        var text = choices[0]!["delta"]?["content"]?.GetValue<string>() ?? "";
        if (text.Length > 0)
        {
            _text.Append(text);
            Pieces++;
        }
        OnEvent?.Invoke(LastId, FinishReason is null ? "delta" : "choice", text);
    }
}
