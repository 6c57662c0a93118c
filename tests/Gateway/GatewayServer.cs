using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Hearth.Gateway.Tests;

/// <summary>The gateway on a free port of 127.0.0.1, with a client to it.</summary>
sealed class GatewayServer : IAsyncDisposable
{
    GatewayServer(WebApplication app, ScriptedCluster cluster) =>
        (App, Cluster, Http) = (app, cluster, new HttpClient { BaseAddress = new Uri(app.Urls.First()) });

    public WebApplication App { get; }
    public ScriptedCluster Cluster { get; }
    public HttpClient Http { get; }
    public Uri Url => Http.BaseAddress!;

    public static async Task<GatewayServer> StartAsync(ScriptedCluster? cluster = null, GatewayOptions? options = null,
        TimeProvider? time = null, Action<ILoggingBuilder>? logging = null)
    {
        cluster ??= new ScriptedCluster();
        options = (options ?? new GatewayOptions()) with { Urls = ["http://127.0.0.1:0"], DrainTimeout = TimeSpan.Zero };
        var app = GatewayHost.Build(options, cluster, logging, time);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new GatewayServer(app, cluster);
    }

    public const string Hello = """{"model":"demo","messages":[{"role":"user","content":"Hi"}]}""";
    public const string HelloStream = """{"model":"demo","stream":true,"messages":[{"role":"user","content":"Hi"}]}""";

    public Task<HttpResponseMessage> ChatAsync(string body, params (string Name, string Value)[] headers) =>
        PostAsync("/v1/chat/completions", body, headers);

    public async Task<HttpResponseMessage> PostAsync(string path, string body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
        };
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        return await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await App.DisposeAsync();
    }
}

static class Replies
{
    public static Task<string> TextAsync(this HttpResponseMessage reply) =>
        reply.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

    public static string Header(this HttpResponseMessage reply, string name) => Assert.Single(reply.Headers.GetValues(name));

    /// <summary>Status, code and field of an error reply, which must have all of OpenAI's four keys.</summary>
    public static async Task<(int Status, string? Code, string? Param)> ErrorAsync(this HttpResponseMessage reply)
    {
        var text = await reply.TextAsync();
        Assert.Equal("application/json", reply.Content.Headers.ContentType?.MediaType);
        using var json = System.Text.Json.JsonDocument.Parse(text);
        var error = json.RootElement.GetProperty("error");
        Assert.NotEmpty(error.GetProperty("message").GetString()!);
        Assert.NotEmpty(error.GetProperty("type").GetString()!);
        Assert.True(text.Length < 2000, "an error is short");
        return ((int)reply.StatusCode, error.GetProperty("code").GetString(), error.GetProperty("param").GetString());
    }
}
