using Google.Protobuf;
using Hearth.Contracts;
using Xunit;
using HealthV1 = Hearth.Gateway.Grpc.Health.V1;
using V1 = Hearth.Gateway.Grpc.V1;

namespace Hearth.Gateway.Tests;

public sealed class GrpcTests
{
    static readonly GatewayOptions Options = new() { GrpcUrls = ["http://127.0.0.1:0"] };

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    static V1.RunTurnRequest Hi => new()
    {
        Conversation = "conv_1",
        Messages = { new V1.Message { Role = V1.Role.User, Content = "Hi" } },
    };

    [Fact]
    public async Task ATurnIsAStreamOfNumberedEventsThatEndsWithOk()
    {
        await using var server = await StartAsync();
        using var client = ClientOf(server);
        server.Cluster.Play = (_, _) => ScriptedCluster.Events(ScriptedCluster.Numbered(ScriptedCluster.Reply("Hello", " wörld")));
        using var answer = await client.CallAsync("RunTurn", new V1.RunTurnRequest(Hi)
        {
            Turn = "t1",
            Generation = new V1.Generation { Temperature = 0, MaxTokens = 5, Stop = { "\n" }, LogitBias = { { 7, -1.5f } }, Seed = 3 },
        });
        var events = await answer.AllAsync(V1.TurnEvent.Parser);
        Assert.Equal((0, ""), await answer.StatusAsync());
        Assert.Equal([0, 1, 2, 3, 4], events.Select(e => e.Sequence));
        Assert.Equal("silo-a", events[0].Started.Silo);
        Assert.Equal("Hello wörld", events[1].Delta.Text + events[2].Delta.Text);
        Assert.Equal(V1.FinishReason.Stop, events[3].ChoiceFinished.Reason);
        Assert.Equal(10, events[4].Finished.PromptTokens);

        var turn = Assert.Single(server.Cluster.Turns);
        Assert.Equal(("conv_1", "t1", "demo", HistoryMode.Append),
            (turn.Conversation.Value, turn.Id.Value, turn.Model, turn.History));
        Assert.Equal((0f, 3L, -1.5f), (turn.Generation.Sampling.Temperature, turn.Generation.Sampling.Seed,
            turn.Generation.Sampling.LogitBias![7]));
        Assert.Equal((5, "\n"), (turn.Generation.MaxTokens, Assert.Single(turn.Generation.Stop)));
        Assert.Equal("Hi", Assert.IsType<MessageItem>(Assert.Single(turn.Items)).Text);
    }

    [Theory]
    [InlineData(TurnError.InvalidRequest, 3, "invalid_value")]
    [InlineData(TurnError.ContextLengthExceeded, 3, "context_length_exceeded")]
    [InlineData(TurnError.ModelNotFound, 5, "model_not_found")]
    [InlineData(TurnError.ConversationNotFound, 5, "not_found")]
    [InlineData(TurnError.IdempotencyConflict, 6, "idempotency_conflict")]
    [InlineData(TurnError.ConversationBusy, 10, "conversation_busy")]
    [InlineData(TurnError.Overloaded, 14, "overloaded")]
    [InlineData(TurnError.Draining, 14, "draining")]
    [InlineData(TurnError.StoreUnavailable, 14, "store_unavailable")]
    [InlineData(TurnError.DeadlineExceeded, 4, "deadline_exceeded")]
    [InlineData(TurnError.Cancelled, 1, "turn_cancelled")]
    [InlineData(TurnError.OutcomeUnknown, 2, "turn_outcome_unknown")]
    [InlineData(TurnError.Internal, 13, "internal_error")]
    public async Task AFailedTurnEndsWithItsStatusBeforeOrAfterItsText(TurnError error, int code, string cause)
    {
        await using var server = await StartAsync();
        using var client = ClientOf(server);
        foreach (var events in new TurnEvent[][]
        {
            [ScriptedCluster.Failed(error, "100 % nö")],
            [ScriptedCluster.Started(), new TurnDelta { Text = "begun" }, ScriptedCluster.Failed(error, "100 % nö")],
        })
        {
            server.Cluster.Play = (_, _) => ScriptedCluster.Events(events);
            using var answer = await client.CallAsync("RunTurn", Hi);
            Assert.Equal(events.Length - 1, (await answer.AllAsync(V1.TurnEvent.Parser)).Count);
            var (status, message) = await answer.StatusAsync();
            Assert.Equal((code, cause), (status, answer.Meta("hearth-code")));
            Assert.True(message == "100 % nö" || error == TurnError.Internal, message);
            Assert.Equal(code == 14 || error == TurnError.ConversationBusy, answer.Meta("grpc-retry-pushback-ms") is not null);
        }
    }

    [Fact]
    public async Task AStreamGoesOnFromAnyEventAndATurnCanBeCancelled()
    {
        await using var server = await StartAsync();
        using var client = ClientOf(server);
        server.Cluster.Live[(new("conv_1"), new("t1"))] = [.. ScriptedCluster.Reply("a", "b", "c")];
        using (var answer = await client.CallAsync(
            "ResumeTurn", new V1.ResumeTurnRequest { Conversation = "conv_1", Turn = "t1", FromEvent = 2 }))
        {
            var events = await answer.AllAsync(V1.TurnEvent.Parser);
            Assert.Equal([2, 3, 4, 5], events.Select(e => e.Sequence));
            Assert.Equal(0, (await answer.StatusAsync()).Code);
        }
        var cancel = new V1.CancelTurnRequest { Conversation = "conv_1", Turn = "t1" };
        foreach (var expected in new[] { true, false })
        {
            using var answer = await client.CallAsync("CancelTurn", cancel);
            Assert.Equal(expected, (await answer.NextAsync(V1.CancelTurnResponse.Parser))!.Cancelled);
        }
        using var gone = await client.CallAsync("ResumeTurn", new V1.ResumeTurnRequest { Conversation = "conv_1", Turn = "t1" });
        Assert.Equal(5, (await gone.StatusAsync()).Code);
    }

    [Fact]
    public async Task ConversationsAreCreatedDescribedAndMigrated()
    {
        await using var server = await StartAsync();
        using var client = ClientOf(server);
        using var created = await client.CallAsync("CreateConversation", new V1.CreateConversationRequest());
        Assert.StartsWith("conv_", (await created.NextAsync(V1.CreateConversationResponse.Parser))!.Conversation, StringComparison.Ordinal);

        server.Cluster.Conversations[(TenantId.Local, new("c"))] = new ConversationInfo
        {
            Id = "c",
            Silo = "silo-a/1",
            Epoch = 3,
            State = "idle",
            Turns = 2,
            CachedTokens = 20,
            Tier = "device",
            Bytes = 64,
        };
        using var described = await client.CallAsync("DescribeConversation", new V1.DescribeConversationRequest { Conversation = "c" });
        Assert.Equal(3, (await described.NextAsync(V1.Conversation.Parser))!.Epoch);
        using var moved = await client.CallAsync(
            "MigrateConversation", new V1.MigrateConversationRequest { Conversation = "c", Silo = "silo-b" });
        Assert.Equal("silo-b", (await moved.NextAsync(V1.Conversation.Parser))!.Silo);
        using var none = await client.CallAsync("DescribeConversation", new V1.DescribeConversationRequest { Conversation = "d" });
        Assert.Equal(5, (await none.StatusAsync()).Code);
    }

    [Fact]
    public async Task AClientThatResetsItsStreamCancelsTheTurn()
    {
        await using var server = await StartAsync();
        using var client = ClientOf(server);
        server.Cluster.Play = (_, cancellation) => ScriptedCluster.Hanging([ScriptedCluster.Started()], cancellation);
        var answer = await client.CallAsync("RunTurn", Hi);
        Assert.NotNull((await answer.NextAsync(V1.TurnEvent.Parser))!.Started);
        answer.Dispose();
        await server.Cluster.Left.WaitAsync(TimeSpan.FromSeconds(10), Stop);
    }

    [Fact]
    public async Task ADeadlineHoldsOnTheServerToo()
    {
        await using var server = await StartAsync();
        using var client = ClientOf(server);
        server.Cluster.Play = (_, cancellation) => ScriptedCluster.Hanging([ScriptedCluster.Started()], cancellation);
        using var answer = await client.CallAsync("RunTurn", Hi, ("grpc-timeout", "150m"));
        Assert.Equal(4, (await answer.StatusAsync()).Code);
        await server.Cluster.Left.WaitAsync(TimeSpan.FromSeconds(10), Stop);
    }

    [Fact]
    public async Task BadRequestsNameTheirField()
    {
        await using var server = await StartAsync();
        using var client = ClientOf(server);
        foreach (var (field, change) in new (string, Action<V1.RunTurnRequest>)[]
        {
            ("conversation", r => r.Conversation = "a b"),
            ("conversation", r => (r.Conversation, r.Turn) = ("", "t")),
            ("turn", r => r.Turn = "ä"),
            ("model", r => r.Model = "other"),
            ("messages", r => r.Messages.Clear()),
            ("messages[0].role", r => r.Messages[0].Role = V1.Role.Unspecified),
            ("messages[0].content", r => r.Messages[0].Content = new string('x', Limits.ContentCharsMax + 1)),
            ("generation.temperature", r => r.Generation = new() { Temperature = float.NaN }),
            ("generation.logit_bias", r => r.Generation = new() { LogitBias = { { -1, 0 } } }),
            ("generation.stop", r => r.Generation = new() { Stop = { "" } }),
            ("generation.choices", r => r.Generation = new() { Choices = 0 }),
        })
        {
            var request = Hi;
            change(request);
            using var answer = await client.CallAsync("RunTurn", request);
            var (code, message) = await answer.StatusAsync();
            Assert.True(code == (field == "model" ? 5 : 3), message);
            Assert.Equal(field, answer.Meta("hearth-param"));
        }
    }

    [Fact]
    public async Task WhatIsNoProperCallGetsTheStatusThatTheProtocolNames()
    {
        await using var server = await StartAsync();
        using var client = ClientOf(server);
        var good = GrpcClient.Framed(Hi.ToByteArray());
        await ExpectAsync(12, "RunTurn", [1, .. good.AsSpan(1)]);
        await ExpectAsync(12, "RunTurn", good, ("grpc-encoding", "gzip"));
        await ExpectAsync(12, "NoSuchMethod", good);
        await ExpectAsync(12, "/other.Service/Method", good);
        await ExpectAsync(3, "RunTurn", good[..^1]);
        await ExpectAsync(3, "RunTurn", []);
        await ExpectAsync(3, "RunTurn", GrpcClient.Framed([0xFF, 0xFF, 0xFF]));
        await ExpectAsync(8, "RunTurn", GrpcClient.Framed(new byte[Limits.BodyBytesMax + 1]));
        Assert.Empty(server.Cluster.Turns);

        async Task ExpectAsync(int code, string method, byte[] body, params (string, string)[] headers)
        {
            using var answer = await client.SendAsync(method, body, headers);
            Assert.Equal(code, (await answer.StatusAsync()).Code);
            Assert.Equal("identity", answer.Meta("grpc-accept-encoding"));
        }
    }

    [Fact]
    public async Task KeysAndAdmissionAreThoseOfTheHttpApi()
    {
        var keys = Path.GetTempFileName();
        await File.WriteAllTextAsync(keys, "key-of-alice alice chat\n", Stop);
        await using var server = await GatewayServer.StartAsync(options: Options with { ApiKeyFile = keys, TurnsPerTenantMax = 1 });
        using var client = ClientOf(server);
        using (var answer = await client.CallAsync("RunTurn", Hi))
        {
            Assert.Equal(16, (await answer.StatusAsync()).Code);
        }
        var key = ("authorization", "Bearer key-of-alice");
        using (var answer = await client.CallAsync("MigrateConversation", new V1.MigrateConversationRequest { Conversation = "c" }, key))
        {
            Assert.Equal(7, (await answer.StatusAsync()).Code);
        }
        server.Cluster.Play = (_, cancellation) => ScriptedCluster.Hanging([ScriptedCluster.Started()], cancellation);
        using (var running = await client.CallAsync("RunTurn", Hi, key))
        {
            Assert.NotNull(await running.NextAsync(V1.TurnEvent.Parser));
            Assert.Equal("alice", Assert.Single(server.Cluster.Turns).Tenant.Value);
            using var refused = await client.CallAsync("RunTurn", Hi, key);
            Assert.Equal(8, (await refused.StatusAsync()).Code);
            Assert.Equal("rate_limit_exceeded", refused.Meta("hearth-code"));
        }
        using var health = await client.CallAsync("/grpc.health.v1.Health/Check", new HealthV1.HealthCheckRequest());
        Assert.Equal(HealthV1.HealthCheckResponse.Types.ServingStatus.Serving,
            (await health.NextAsync(HealthV1.HealthCheckResponse.Parser))!.Status);
        File.Delete(keys);
    }

    internal static Task<GatewayServer> StartAsync() => GatewayServer.StartAsync(options: Options);

    internal static GrpcClient ClientOf(GatewayServer server) => new(server.App.Urls.Last());
}
