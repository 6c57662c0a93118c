using Google.Protobuf;
using Hearth.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using HealthV1 = Hearth.Gateway.Grpc.Health.V1;
using V1 = Hearth.Gateway.Grpc.V1;

namespace Hearth.Gateway;

/// <summary>The service <c>hearth.v1.Chat</c> (src/Contracts/Protos/hearth.proto): the turns of the HTTP API, with the same
/// admission, keys and errors.</summary>
sealed class GrpcChat(
    ICluster cluster, TurnDoor door, GatewayOptions options, GatewayMetrics metrics, IHostApplicationLifetime lifetime,
    TimeProvider time, ILogger<GrpcChat> logger)
{
    const string Service = "hearth.v1.Chat";

    public void Map(IEndpointRouteBuilder app)
    {
        Add(nameof(RunTurn), V1.RunTurnRequest.Parser, RunTurn);
        Add(nameof(ResumeTurn), V1.ResumeTurnRequest.Parser, ResumeTurn);
        Add("CreateConversation", V1.CreateConversationRequest.Parser, (call, _) =>
            call.SendAsync(new V1.CreateConversationResponse { Conversation = ConversationFinder.New().Value }));
        Add("CancelTurn", V1.CancelTurnRequest.Parser, async (call, request) => await call.SendAsync(new V1.CancelTurnResponse
        {
            Cancelled = await cluster.CancelTurnAsync(
                call.Tenant, GrpcRequests.Conversation(request.Conversation), GrpcRequests.Turn(request.Turn), call.Cancellation),
        }));
        Add("DescribeConversation", V1.DescribeConversationRequest.Parser, async (call, request) =>
            await call.SendAsync(GrpcEvents.Of(await cluster.DescribeConversationAsync(
                call.Tenant, GrpcRequests.Conversation(request.Conversation), call.Cancellation))));
        Add("MigrateConversation", V1.MigrateConversationRequest.Parser, async (call, request) =>
            await call.SendAsync(GrpcEvents.Of(await cluster.MigrateConversationAsync(
                call.Tenant, GrpcRequests.Conversation(request.Conversation), GrpcRequests.Silo(request.Silo),
                call.Cancellation)))).RequireAuthorization(Scopes.Admin);
        app.MapPost("/grpc.health.v1.Health/Check", GrpcCall.Method(HealthV1.HealthCheckRequest.Parser, options, time, Check))
            .AllowAnonymous();

        IEndpointConventionBuilder Add<TRequest>(
            string method, MessageParser<TRequest> parser, Func<GrpcCall, TRequest, Task> run)
            where TRequest : IMessage<TRequest> =>
            app.MapPost($"/{Service}/{method}", GrpcCall.Method(parser, options, time, run));
    }

    async Task RunTurn(GrpcCall call, V1.RunTurnRequest request)
    {
        var turn = GrpcRequests.Turn(request, call, cluster.Models, time.GetUtcNow());
        await StreamAsync(call, cluster.RunTurnAsync(turn, CancellationToken.None),
            new TurnSubject("grpc_turn", turn.Model, turn.Conversation.Value, turn.Id.Value, turn.Generation, true),
            request.Resumable ? options.ResumeWindow : TimeSpan.Zero);
    }

    async Task ResumeTurn(GrpcCall call, V1.ResumeTurnRequest request)
    {
        var events = cluster.AttachTurnAsync(call.Tenant, GrpcRequests.Conversation(request.Conversation),
            GrpcRequests.Turn(request.Turn), GrpcRequests.FromEvent(request.FromEvent), CancellationToken.None);
        metrics.Resumed();
        await StreamAsync(call, events, new TurnSubject("grpc_resume", "", request.Conversation, request.Turn, null, true),
            options.ResumeWindow);
    }

    /// <summary>Once it is let in, sends a turn's events until its last one; a failure ends the call with its status.</summary>
    async Task StreamAsync(GrpcCall call, IAsyncEnumerable<TurnEvent> turn, TurnSubject subject, TimeSpan linger)
    {
        if (await door.RefusesAsync(call.Http, out var lease))
        {
            return;
        }
        using (lease)
        {
            await SendAsync(call, turn, subject, linger);
        }
    }

    async Task SendAsync(GrpcCall call, IAsyncEnumerable<TurnEvent> turn, TurnSubject subject, TimeSpan linger)
    {
        using var scope = Log.Scope(logger, subject);
        using var span = TurnTrace.Begin(subject);
        using var counted = metrics.Streams();
        var record = metrics.Begin(subject.Operation, subject.Model);
        try
        {
            await using var events = new TurnEvents(turn, time, linger, call.Cancellation);
            TurnEvent happened;
            do
            {
                happened = await events.NextAsync();
                Note(record, happened);
                await call.SendAsync(GrpcEvents.Of(happened));
            } while (happened is not TurnFinished);
        }
        catch (GrpcException e)
        {
            call.Http.SetOutcome(e.Error.Code);
            throw;
        }
        catch (OperationCanceledException) when (call.Cancellation.IsCancellationRequested)
        {
            call.Http.SetOutcome("cancelled");
            throw;
        }
        catch (TimeoutException)
        {
            call.Http.SetOutcome("slow_client");
            Log.SlowClient(logger, call.Http.RequestId(), options.WriteTimeout.TotalSeconds);
            call.Http.Abort();
        }
        finally
        {
            metrics.End(record, call.Http.Outcome());
            TurnTrace.End(span, record, call.Http.Outcome());
            Log.TurnDone(logger, call.Http.RequestId(), subject.Operation, call.Http.Outcome(),
                record.Usage.PromptTokens, record.Usage.CachedTokens, record.Usage.CompletionTokens,
                (long)time.GetElapsedTime(record.StartedAt).TotalMilliseconds);
        }
    }

    void Note(TurnRecord record, TurnEvent happened)
    {
        switch (happened)
        {
            case TurnStarted started:
                (record.Cache, record.Silo) = (TurnReply.NameOf(started.Cache), started.Silo);
                record.Usage = new Usage(started.PromptTokens, 0, started.CachedTokens);
                break;
            case TurnDelta { Text.Length: > 0 }:
                metrics.FirstText(record);
                break;
            case ChoiceFinished choice:
                record.Reasons.Add(choice.Reason);
                break;
            case TurnFinished finished:
                record.Usage = finished.Usage;
                break;
        }
    }

    /// <summary>Serving means that turns are accepted now.</summary>
    Task Check(GrpcCall call, HealthV1.HealthCheckRequest request) => request.Service is "" or Service
        ? call.SendAsync(new HealthV1.HealthCheckResponse
        {
            Status = cluster.Status.Ready && !lifetime.ApplicationStopping.IsCancellationRequested
                ? HealthV1.HealthCheckResponse.Types.ServingStatus.Serving
                : HealthV1.HealthCheckResponse.Types.ServingStatus.NotServing,
        })
        : throw new GrpcException(ApiError.Of(new TurnFailure(
            TurnError.ConversationNotFound, $"The services here are '' and '{Service}'.", "service")));
}
