using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Hearth.Cluster.Tests.Rig;

/// <summary>A client of one gateway that hides nothing: bodies, headers and events as they came.</summary>
public sealed class GatewayClient(string url) : IDisposable
{
    readonly HttpClient _http = new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(1) })
    {
        BaseAddress = new Uri(url),
        Timeout = TimeSpan.FromMinutes(3),
    };

    public Uri Url => _http.BaseAddress!;
    public HttpClient Http => _http;

    public void Dispose() => _http.Dispose();

    /// <summary>One chat completion; throws with the server's words when it is refused.</summary>
    public async Task<Reply> ChatAsync(JsonObject body, CancellationToken cancellationToken, string? key = null)
    {
        var answer = await TryChatAsync(body, cancellationToken, key);
        return answer.Reply ?? throw new RefusedException(answer.Status, answer.Body);
    }

    public async Task<Answer> TryChatAsync(JsonObject body, CancellationToken cancellationToken, string? key = null)
    {
        using var request = Post("v1/chat/completions", body, key);
        using var response = await _http.SendAsync(request, cancellationToken);
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        return new Answer((int)response.StatusCode, text, response.IsSuccessStatusCode ? ReadReply(response, text) : null,
            response.Headers.RetryAfter?.Delta);
    }

    /// <summary>Opens a streamed chat completion.</summary>
    public async Task<LiveReply> StreamAsync(JsonObject body, CancellationToken cancellationToken, string? key = null)
    {
        body["stream"] = true;
        var request = Post("v1/chat/completions", body, key);
        request.Headers.Add("X-Hearth-Event-Ids", "true");
        return await OpenAsync(request, cancellationToken);
    }

    /// <summary>Goes on with a stream that broke.</summary>
    /// <param name="lastEvent">The id of the last event that came.</param>
    public Task<LiveReply> ResumeAsync(string conversation, string turn, string lastEvent, CancellationToken cancellationToken)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, $"v1/conversations/{conversation}/turns/{turn}/events");
        request.Headers.Add("Last-Event-ID", lastEvent);
        return OpenAsync(request, cancellationToken);
    }

    public async Task<JsonNode> GetAsync(string path, CancellationToken cancellationToken) =>
        JsonNode.Parse(await _http.GetStringAsync(path, cancellationToken))!;

    /// <returns>The status and the body.</returns>
    public async Task<(int Status, string Body)> SendAsync(
        HttpMethod method, string path, JsonObject? body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
        using var response = await _http.SendAsync(request, cancellationToken);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(cancellationToken));
    }

    /// <summary>Describes a conversation; null if there is none.</summary>
    public async Task<JsonNode?> DescribeAsync(string conversation, CancellationToken cancellationToken)
    {
        var (status, body) = await SendAsync(HttpMethod.Get, $"admin/conversations/{conversation}", null, cancellationToken);
        return status switch
        {
            200 => JsonNode.Parse(body),
            404 => null,
            _ => throw new RefusedException(status, body),
        };
    }

    async Task<LiveReply> OpenAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using (request)
        {
            var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (response.IsSuccessStatusCode)
                return new LiveReply(response, await response.Content.ReadAsStreamAsync(cancellationToken));
            using (response)
                throw new RefusedException((int)response.StatusCode, await response.Content.ReadAsStringAsync(cancellationToken));
        }
    }

    static HttpRequestMessage Post(string path, JsonObject body, string? key)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return request;
    }

    static Reply ReadReply(HttpResponseMessage response, string text)
    {
        var json = JsonNode.Parse(text)!;
        return new Reply
        {
            Text = json["choices"]![0]!["message"]!["content"]?.GetValue<string>() ?? "",
            Body = text,
            Cache = Header(response, "x-hearth-cache"),
            Silo = Header(response, "x-hearth-silo"),
            Turn = Header(response, "x-hearth-turn"),
            PromptTokens = json["usage"]!["prompt_tokens"]!.GetValue<int>(),
            CachedTokens = json["usage"]!["prompt_tokens_details"]!["cached_tokens"]!.GetValue<int>(),
            ReplyTokens = json["usage"]!["completion_tokens"]!.GetValue<int>(),
        };
    }

    internal static string Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? string.Join(",", values) : "";
}

public sealed record Answer(int Status, string Body, Reply? Reply, TimeSpan? RetryAfter);

public sealed record Reply
{
    public required string Text { get; init; }
    public required string Body { get; init; }
    public required string Cache { get; init; }
    public required string Silo { get; init; }
    public required string Turn { get; init; }
    public required int PromptTokens { get; init; }
    public required int CachedTokens { get; init; }
    public required int ReplyTokens { get; init; }
}

public sealed class RefusedException(int status, string body) : Exception($"{status}: {body}")
{
    public int Status => status;
}
