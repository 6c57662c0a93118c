using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hearth.Cli.Client;

/// <summary>A small client for any OpenAI-compatible server: streamed chat completions.</summary>
sealed class ChatClient : IDisposable
{
    readonly HttpClient _http;

    public ChatClient(string url, string? apiKey)
    {
        if (!Uri.TryCreate(url.TrimEnd('/') + "/", UriKind.Absolute, out var address)
            || address.Scheme is not ("http" or "https"))
        {
            throw new CliException($"'{url}' is not an address; write for example http://127.0.0.1:8080.", ExitCodes.Usage);
        }
        _http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 4096 })
        {
            BaseAddress = address,
            Timeout = Timeout.InfiniteTimeSpan,
        };
        if (apiKey is not null)
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", apiKey);
    }

    public Uri Address => _http.BaseAddress!;

    public void Dispose() => _http.Dispose();

    /// <summary>The first model that the server lists.</summary>
    public async Task<ServedModel> FirstModelAsync(CancellationToken cancellationToken)
    {
        using var response = await SendAsync(new HttpRequestMessage(HttpMethod.Get, "v1/models"), cancellationToken);
        var list = JsonNode.Parse(await response.Content.ReadAsStringAsync(cancellationToken));
        return list?["data"] is JsonArray { Count: > 0 } data && data[0]?["id"]?.GetValue<string>() is { } id
            ? new ServedModel(id, data[0]!["max_model_len"]?.GetValue<int>())
            : throw new CliException($"{Address} lists no model.", ExitCodes.Temporary);
    }

    /// <summary>Number of tokens of a text, or null where the server has no <c>/tokenize</c>.</summary>
    public async Task<int?> CountTokensAsync(string model, string text, CancellationToken cancellationToken)
    {
        var body = new JsonObject { ["model"] = model, ["prompt"] = text, ["add_special_tokens"] = false };
        using var request = Post("tokenize", body);
        using var response = await _http.SendAsync(request, cancellationToken);
        if (!response.IsSuccessStatusCode)
            return null;
        return JsonNode.Parse(await response.Content.ReadAsStringAsync(cancellationToken))?["count"]?.GetValue<int>();
    }

    /// <summary>Hearth only: writes a conversation's cache to the store and gives its blocks back.</summary>
    /// <returns>False where the server cannot do that.</returns>
    public async Task<bool> SpillAsync(string conversation, CancellationToken cancellationToken)
    {
        using var request = Post($"admin/conversations/{Uri.EscapeDataString(conversation)}/spill", []);
        using var response = await _http.SendAsync(request, cancellationToken);
        return response.IsSuccessStatusCode;
    }

    /// <summary>Runs one streamed chat completion; the last event carries the usage.</summary>
    public async IAsyncEnumerable<ChatEvent> ChatAsync(
        JsonObject body, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        body["stream"] = true;
        body["stream_options"] = new JsonObject { ["include_usage"] = true };
        using var response = await SendAsync(Post("v1/chat/completions", body), cancellationToken);
        yield return new ChatEvent
        {
            Conversation = Header(response, "x-hearth-conversation"),
            Cache = Header(response, "x-hearth-cache"),
        };
        var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var ended = false;
        await foreach (var item in SseParser.Create(stream).EnumerateAsync(cancellationToken))
        {
            if (item.Data == "[DONE]")
            {
                ended = true;
                break;
            }
            yield return Read(item.Data);
        }
        if (!ended)
            throw new CliException("The stream broke off before its end.", ExitCodes.Temporary);
    }

    static ChatEvent Read(string data)
    {
        var chunk = JsonNode.Parse(data) ?? throw new JsonException("an empty event");
        if (chunk["error"] is { } error)
            throw new CliException($"The server gave up: {error["message"]}", ExitCodes.Failure);
        var choice = chunk["choices"] is JsonArray { Count: > 0 } choices ? choices[0] : null;
        var usage = chunk["usage"];
        return new ChatEvent
        {
            Text = choice?["delta"]?["content"]?.GetValue<string>(),
            FinishReason = choice?["finish_reason"]?.GetValue<string>(),
            PromptTokens = usage?["prompt_tokens"]?.GetValue<int>(),
            CompletionTokens = usage?["completion_tokens"]?.GetValue<int>(),
            CachedTokens = usage?["prompt_tokens_details"]?["cached_tokens"]?.GetValue<int>(),
        };
    }

    async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using (request)
        {
            HttpResponseMessage response;
            try
            {
                response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            }
            catch (HttpRequestException error)
            {
                throw new CliException(
                    $"No server answers at {Address} ({error.Message}). Start one with: hearth serve", ExitCodes.Temporary);
            }
            if (response.IsSuccessStatusCode)
                return response;
            using (response)
            {
                var text = await response.Content.ReadAsStringAsync(cancellationToken);
                throw new CliException($"{(int)response.StatusCode}: {MessageOf(text)}", ExitCodes.Failure);
            }
        }
    }

    static string MessageOf(string body)
    {
        try
        {
            return JsonNode.Parse(body)?["error"]?["message"]?.GetValue<string>() ?? body;
        }
        catch (JsonException)
        {
            return body;
        }
    }

    static HttpRequestMessage Post(string path, JsonObject body) =>
        new(HttpMethod.Post, path) { Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json") };

    static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? string.Join(",", values) : null;
}

sealed record ServedModel(string Id, int? ContextLength);

/// <summary>One event of a streamed reply; the first has the headers, the last the usage.</summary>
sealed record ChatEvent
{
    public string? Conversation { get; init; }
    public string? Cache { get; init; }
    public string? Text { get; init; }
    public string? FinishReason { get; init; }
    public int? PromptTokens { get; init; }
    public int? CompletionTokens { get; init; }
    public int? CachedTokens { get; init; }
}
