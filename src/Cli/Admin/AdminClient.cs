using System.CommandLine;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hearth.Cli.Admin;

/// <summary>The admin API of a gateway, as the operator's verbs use it.</summary>
sealed class AdminClient : IDisposable
{
    public static Option<string?> Url { get; } = Flag.Text("--url", "A gateway of the cluster", "http://127.0.0.1:8080");
    public static Option<string?> ApiKey { get; } = Flag.Text("--api-key", "The key, if the gateway wants one");
    public static Option<bool> Json { get; } = new("--json") { Description = "Write JSON in place of a table" };

    readonly HttpClient _http;

    public AdminClient(ParseResult arguments)
    {
        var url = arguments.GetValue(Url)!;
        if (!Uri.TryCreate(url.TrimEnd('/') + "/", UriKind.Absolute, out var address)
            || address.Scheme is not ("http" or "https"))
        {
            throw new CliException(
                $"--url: '{url}' is not an address; write for example http://127.0.0.1:8080.", ExitCodes.Usage);
        }
        _http = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromMinutes(5) };
        if (arguments.GetValue(ApiKey) is { } key)
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    public void Dispose() => _http.Dispose();

    /// <exception cref="CliException">The gateway does not answer, or refuses: its own words.</exception>
    public async Task<JsonObject> SendAsync(
        HttpMethod method, string path, JsonObject? body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        try
        {
            using var response = await _http.SendAsync(request, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            return response.IsSuccessStatusCode
                ? JsonNode.Parse(text)!.AsObject()
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
