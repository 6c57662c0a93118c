using System.CommandLine;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hearth.Cli.Admin;

/// <summary>The admin API of a gateway, as the operator's verbs use it.</summary>
sealed class AdminClient : IDisposable
{
    const int AnswerBytesMax = 64 << 20;

    public static Option<string?> Url { get; } = Flag.Text("--url", "A gateway of the cluster", "http://127.0.0.1:8080");
    public static Option<string?> ApiKey { get; } = Flag.Text("--api-key", "The key, if the gateway wants one");
    public static Option<bool> Json { get; } = new("--json") { Description = "Write JSON in place of a table" };

    readonly HttpClient _http;

    public AdminClient(ParseResult arguments)
        : this(arguments.GetValue(Url)!, arguments.GetValue(ApiKey))
    {
    }

    /// <exception cref="CliException">The address is none.</exception>
    public AdminClient(string url, string? apiKey)
    {
        if (!Uri.TryCreate(url.TrimEnd('/') + "/", UriKind.Absolute, out var address)
            || address.Scheme is not ("http" or "https"))
        {
            throw new CliException(
                $"--url: '{url}' is not an address; write for example http://127.0.0.1:8080.", ExitCodes.Usage);
        }
        _http = new HttpClient
        {
            BaseAddress = address,
            Timeout = TimeSpan.FromMinutes(5),
            MaxResponseContentBufferSize = AnswerBytesMax,
        };
        if (apiKey is not null)
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", apiKey);
    }

    public string Address => _http.BaseAddress!.ToString().TrimEnd('/');

    public void Dispose() => _http.Dispose();

    /// <exception cref="CliException">The gateway does not answer, or refuses: its own words.</exception>
    public async Task<JsonObject> SendAsync(
        HttpMethod method, string path, JsonObject? body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        return JsonNode.Parse(await TextAsync(request, cancellationToken))!.AsObject();
    }

    /// <exception cref="CliException">The gateway does not answer, or refuses: its own words.</exception>
    public async Task<string> TextAsync(string path, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        return await TextAsync(request, cancellationToken);
    }

    async Task<string> TextAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await _http.SendAsync(request, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            return response.IsSuccessStatusCode
                ? text
                : throw new CliException($"{(int)response.StatusCode}: {MessageIn(text)}", ExitCodes.Failure);
        }
        catch (HttpRequestException error)
        {
            throw new CliException(
                $"No gateway answers at {_http.BaseAddress} ({error.Message}): see --url.", ExitCodes.Temporary);
        }
    }

    static string MessageIn(string body)
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
}
