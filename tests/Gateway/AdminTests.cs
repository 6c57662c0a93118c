using System.Text.Json;
using Hearth.Contracts;
using Xunit;

namespace Hearth.Gateway.Tests;

/// <summary>The operators' endpoints of a cluster.</summary>
public sealed class AdminTests
{
    static ScriptedCluster Cluster()
    {
        var cluster = new ScriptedCluster();
        cluster.Silos.Add(Silo("silo-0/0a1b2c3d"));
        cluster.Silos.Add(Silo("silo-1/99"));
        cluster.Conversations[(TenantId.Local, new ConversationId("c"))] = new ConversationInfo
        {
            Id = "c",
            Silo = "silo-0/0a1b2c3d",
            Epoch = 3,
            State = "idle",
            Turns = 2,
            CachedTokens = 7,
            Tier = "device",
            Bytes = 9,
        };
        return cluster;
    }

    static SiloInfo Silo(string id) => new()
    {
        Id = id,
        Address = "127.0.0.1:7001",
        Pid = 42,
        Device = "cpu",
        Models = ["demo"],
        Status = "active",
        Conversations = 5,
        BlocksUsed = 3,
        BlocksTotal = 64,
        Running = 1,
        Waiting = 2,
        Counts = new Dictionary<string, long> { ["generated_tokens"] = 40 },
    };

    [Fact]
    public async Task TheClusterIsItsSilos()
    {
        await using var server = await GatewayServer.StartAsync(Cluster());
        using var reply = await server.Http.GetAsync("/admin/cluster", TestContext.Current.CancellationToken);
        const string Rest = """
            "address":"127.0.0.1:7001","pid":42,"device":"cpu","models":["demo"],"status":"active","conversations":5,"blocks_used":3,
            """ + """
            "blocks_total":64,"running":1,"waiting":2,"counts":{"generated_tokens":40}}
            """;
        Assert.Equal($$"""{"ready":true,"reason":"serving","silos":[{"id":"silo-0/0a1b2c3d",{{Rest}},{"id":"silo-1/99",{{Rest}}]}""",
            await reply.TextAsync());
    }

    [Theory]
    [InlineData("silo-0")]
    [InlineData("silo-0/0a1b2c3d")]
    [InlineData("silo-0%2F0a1b2c3d")]
    public async Task ASiloIsDrainedByNameOrId(string silo)
    {
        await using var server = await GatewayServer.StartAsync(Cluster());
        using var reply = await server.PostAsync($"/admin/silos/{silo}/drain", "");
        Assert.Equal(202, (int)reply.StatusCode);
        Assert.Equal(["draining", "active"], server.Cluster.Silos.Select(s => s.Status));
    }

    [Theory]
    [InlineData("/admin/silos/silo-7/drain", "not_found")]
    [InlineData("/admin/silos/silo-0/stop", "unknown_url")]
    [InlineData("/admin/silos/drain", "unknown_url")]
    public async Task NoOtherSiloIsDrained(string path, string code)
    {
        await using var server = await GatewayServer.StartAsync(Cluster());
        using var reply = await server.PostAsync(path, "");
        Assert.Equal((404, code, null), await reply.ErrorAsync());
    }

    [Fact]
    public async Task AConversationIsMovedToTheSiloNamed()
    {
        await using var server = await GatewayServer.StartAsync(Cluster());
        using var reply = await server.PostAsync("/admin/conversations/c/migrate", """{"silo":"silo-1"}""");
        using var json = JsonDocument.Parse(await reply.TextAsync());
        Assert.Equal("silo-1", json.RootElement.GetProperty("silo").GetString());
        using var bad = await server.PostAsync("/admin/conversations/c/migrate", """{"silo":7}""");
        Assert.Equal((400, "invalid_value", "silo"), await bad.ErrorAsync());
        using var none = await server.PostAsync("/admin/conversations/d/migrate", """{"silo":"silo-1"}""");
        Assert.Equal((404, "not_found", null), await none.ErrorAsync());
    }

    [Fact]
    public async Task WhileNotReadyTurnsAreRefusedWithTheClustersCause()
    {
        var cluster = Cluster();
        cluster.Status = cluster.Status with { Ready = false, Cause = TurnError.StoreUnavailable, Reason = "the store is away" };
        await using var server = await GatewayServer.StartAsync(cluster);
        using var reply = await server.ChatAsync(GatewayServer.Hello);
        Assert.Equal((503, "store_unavailable", null), await reply.ErrorAsync());
        Assert.Equal("1", reply.Header("retry-after"));
        using var live = await server.Http.GetAsync("/health/live", TestContext.Current.CancellationToken);
        Assert.Equal(200, (int)live.StatusCode);
        using var ready = await server.Http.GetAsync("/health/ready", TestContext.Current.CancellationToken);
        Assert.Equal(503, (int)ready.StatusCode);
    }
}
