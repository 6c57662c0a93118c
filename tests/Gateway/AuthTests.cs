using System.Net;
using System.Net.Http.Headers;
using Hearth.Contracts;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Hearth.Gateway.Tests;

public sealed class AuthTests : IDisposable
{
    const string ChatKey = "chat-key-of-acme";
    const string AdminKey = "admin-key-of-acme";
    const string OtherKey = "admin-key-of-other";

    readonly string _path = Path.GetTempFileName();

    public AuthTests() => File.WriteAllText(_path, $"""
        # keys of the test
        {ChatKey} acme
        {AdminKey} acme chat,admin

        sha256:{Convert.ToHexStringLower(ApiKey.DigestOf(OtherKey))} other admin,read
        """);

    public void Dispose() => File.Delete(_path);

    GatewayOptions Options => new() { ApiKeyFile = _path };

    [Fact]
    public async Task EveryEndpointButHealthAndThePagesFilesNeedsAKey()
    {
        await using var server = await GatewayServer.StartAsync(options: Options);
        var endpoints = server.App.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().ToArray();
        var open = endpoints.Where(e => e.Metadata.GetMetadata<IAllowAnonymous>() is not null)
            .Select(e => e.RoutePattern.RawText).Order(StringComparer.Ordinal);
        Assert.Equal(["/", "/health/live", "/health/ready", "/health/startup", "/page.css", "/page.js"], open);
        Assert.NotNull(server.App.Services.GetRequiredService<IAuthorizationPolicyProvider>() is { } policies
            ? await policies.GetFallbackPolicyAsync() : null);

        foreach (var endpoint in endpoints.Where(e => e.Metadata.GetMetadata<IAllowAnonymous>() is null))
        {
            var methods = endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET", "POST"];
            var path = endpoint.RoutePattern.RawText!.Replace("{**rest}", "x").Replace("{**model}", "x").Replace("{id}", "x");
            foreach (var method in methods)
            {
                using var request = new HttpRequestMessage(new HttpMethod(method), path);
                using var reply = await server.Http.SendAsync(request, TestContext.Current.CancellationToken);
                Assert.Equal((401, "invalid_api_key", null), await reply.ErrorAsync());
            }
        }
    }

    [Theory]
    [InlineData("/V1/chat/completions")]
    [InlineData("//v1/models")]
    [InlineData("/v1/models/")]
    [InlineData("/v1/./models")]
    [InlineData("/v1/%6dodels")]
    [InlineData("/health/../v1/models")]
    [InlineData("/health/live/..%2f..%2fv1/models")]
    [InlineData("/nothing/here")]
    public async Task NoSpellingOfAPathGetsPastTheKey(string path)
    {
        await using var server = await GatewayServer.StartAsync(options: Options);
        var asWritten = new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true };
        var uri = new Uri($"http://{server.Url.Authority}{path}", asWritten);
        using var reply = await server.Http.GetAsync(uri, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Unauthorized, reply.StatusCode);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Bearer ")]
    [InlineData("Bearer wrong-key-entirely")]
    [InlineData("Bearer chat-key-of-acm")]
    [InlineData("Basic chat-key-of-acme")]
    [InlineData("chat-key-of-acme")]
    public async Task AWrongKeyIs401(string? authorization)
    {
        await using var server = await GatewayServer.StartAsync(options: Options);
        using var reply = await server.ChatAsync(GatewayServer.Hello,
            authorization is null ? [] : [("Authorization", authorization)]);
        Assert.Equal((401, "invalid_api_key", null), await reply.ErrorAsync());
        Assert.Equal("Bearer", reply.Header("WWW-Authenticate"));
        Assert.Empty(server.Cluster.Turns);
    }

    [Fact]
    public async Task TheKeyNamesTheTenantAndItsScopesOpenTheAdminApi()
    {
        await using var server = await GatewayServer.StartAsync(options: Options);
        server.Cluster.Conversations[(new TenantId("acme"), new ConversationId("c"))] = new ConversationInfo
        { Id = "c", Silo = "s", Epoch = 3, State = "idle", Turns = 2, CachedTokens = 9, Tier = "device", Bytes = 10 };

        using var chat = await server.ChatAsync(GatewayServer.Hello, ("Authorization", $"Bearer {ChatKey}"));
        Assert.Equal(200, (int)chat.StatusCode);
        Assert.Equal("acme", Assert.Single(server.Cluster.Turns).Tenant.Value);

        Assert.Equal(403, await StatusAsync(server, ChatKey, HttpMethod.Get, "/admin/conversations"));
        Assert.Equal(403, await StatusAsync(server, ChatKey, HttpMethod.Get, "/metrics"));
        Assert.Equal(403, await StatusAsync(server, OtherKey, HttpMethod.Get, "/v1/models"));
        Assert.Equal(200, await StatusAsync(server, OtherKey, HttpMethod.Get, "/metrics"));
        Assert.Equal(200, await StatusAsync(server, AdminKey, HttpMethod.Get, "/admin/conversations/c"));
        Assert.Equal(200, await StatusAsync(server, AdminKey, HttpMethod.Post, "/admin/conversations/c/spill"));

        // Another tenant's conversation does not exist, rather than being forbidden.
        Assert.Equal(404, await StatusAsync(server, OtherKey, HttpMethod.Get, "/admin/conversations/c"));
        Assert.Equal(404, await StatusAsync(server, OtherKey, HttpMethod.Post, "/admin/conversations/c/spill"));
        Assert.Equal(404, await StatusAsync(server, OtherKey, HttpMethod.Delete, "/admin/conversations/c"));
        Assert.Equal(200, await StatusAsync(server, AdminKey, HttpMethod.Delete, "/admin/conversations/c"));
        Assert.Equal(404, await StatusAsync(server, AdminKey, HttpMethod.Delete, "/admin/conversations/c"));
    }

    [Fact]
    public async Task AChangedFileIsReadAgainAndABadOneIsNot()
    {
        var time = new ManualTime();
        await using var server = await GatewayServer.StartAsync(options: Options, time: time);
        Assert.Equal(200, await StatusAsync(server, ChatKey, HttpMethod.Get, "/v1/models"));

        File.WriteAllText(_path, """{"keys":[{"key":"a-fresh-key","tenant":"acme","expires":"2026-01-02T00:00:00Z"}]}""");
        time.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal(401, await StatusAsync(server, ChatKey, HttpMethod.Get, "/v1/models"));
        Assert.Equal(200, await StatusAsync(server, "a-fresh-key", HttpMethod.Get, "/v1/models"));

        File.WriteAllText(_path, "short");
        time.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal(200, await StatusAsync(server, "a-fresh-key", HttpMethod.Get, "/v1/models"));
        time.Advance(TimeSpan.FromDays(1));
        Assert.Equal(401, await StatusAsync(server, "a-fresh-key", HttpMethod.Get, "/v1/models"));
    }

    [Theory]
    [InlineData("", "no key")]
    [InlineData("short", "line 1")]
    [InlineData("long-enough-key bad/tenant", "line 1")]
    [InlineData("# c\nlong-enough-key t root", "line 2")]
    [InlineData("sha256:12 t", "line 1")]
    [InlineData("{\"keys\":[{}]}", "keys[0]")]
    [InlineData("{\"keys\":7}", "JSON")]
    public void ABadKeyFileIsNamedByItsLineAndNeverQuoted(string text, string where)
    {
        var fault = Assert.Throws<FormatException>(() => ApiKeyFile.Parse(text));
        Assert.Contains(where, fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("long-enough-key", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutAKeyFileOnlyThisMachinesOwnClientsAreServed()
    {
        await using var server = await GatewayServer.StartAsync();
        Assert.Equal(200, await StatusAsync(server, null, HttpMethod.Get, "/v1/models"));
        Assert.Equal(200, await StatusAsync(server, null, HttpMethod.Get, "/admin/conversations"));

        using var foreign = await server.ChatAsync(GatewayServer.Hello, ("Origin", "https://evil.example"));
        Assert.Equal(401, (int)foreign.StatusCode);
        using var own = await server.ChatAsync(GatewayServer.Hello, ("Origin", $"http://{server.Url.Authority}"));
        Assert.Equal(200, (int)own.StatusCode);
        using var rebound = await server.ChatAsync(GatewayServer.Hello, ("Host", "evil.example"));
        Assert.Equal(400, (int)rebound.StatusCode);

        using var proxied = new HttpRequestMessage(HttpMethod.Get, "/admin/conversations");
        proxied.Headers.Add("X-Forwarded-For", "10.0.0.1");
        using var reply = await server.Http.SendAsync(proxied, TestContext.Current.CancellationToken);
        Assert.Equal((403, "permission_denied", null), await reply.ErrorAsync());
    }

    [Fact]
    public void OptionsThatWouldOpenTheServerOrMakeNoSenseAreAllNamed()
    {
        Assert.Empty(new GatewayOptions().Validate());
        Assert.Empty(new GatewayOptions { Urls = ["http://0.0.0.0:8080"], AllowAnonymous = true }.Validate());
        Assert.Empty(new GatewayOptions { Urls = ["http://*:8080"], ApiKeyFile = _path }.Validate());
        var faults = new GatewayOptions
        {
            Urls = ["http://0.0.0.0:8080", "nonsense"],
            CorsOrigins = ["https://a.example/path"],
            TurnsMax = 0,
            Heartbeat = TimeSpan.Zero,
        }.Validate();
        Assert.Equal(5, faults.Count);
        Assert.Contains("http://0.0.0.0:8080", faults[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task NeitherKeysNorTextAreLogged()
    {
        using var sink = new LineLogger();
        await using (var server = await GatewayServer.StartAsync(options: Options,
            logging: l => l.SetMinimumLevel(LogLevel.Information).AddProvider(sink)))
        {
            server.Cluster.Play = (_, _) => ScriptedCluster.Events(ScriptedCluster.Reply("canary-reply"));
            var prompt = GatewayServer.Hello.Replace("Hi", "canary-prompt");
            using var good = await server.ChatAsync(prompt, ("Authorization", $"Bearer {ChatKey}"));
            Assert.Contains("canary-reply", await good.TextAsync(), StringComparison.Ordinal);
            using var bad = await server.ChatAsync(GatewayServer.Hello, ("Authorization", "Bearer canary-key"));
            server.Cluster.Play = (_, _) => throw new InvalidOperationException("a bug");
            using var failed = await server.ChatAsync(prompt, ("Authorization", $"Bearer {ChatKey}"));
        }
        var lines = sink.Lines.ToArray();
        Assert.Contains(lines, l => l.Contains("chat ok: 10 prompt tokens (4 cached), 1 generated", StringComparison.Ordinal));
        Assert.All(lines, line => Assert.DoesNotContain("canary", line, StringComparison.Ordinal));
        Assert.All(lines, line => Assert.DoesNotContain(ChatKey, line, StringComparison.Ordinal));
    }

    static async Task<int> StatusAsync(GatewayServer server, string? key, HttpMethod method, string path)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.Authorization = key is null ? null : new AuthenticationHeaderValue("Bearer", key);
        using var reply = await server.Http.SendAsync(request, TestContext.Current.CancellationToken);
        return (int)reply.StatusCode;
    }
}
