using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Hearth.Actors.Transport;
using Hearth.Contracts;

namespace Hearth.Grains.Peers;

/// <summary>What a silo answers to the processes of its cluster: the methods of <see cref="PeerMethods"/>, over its
/// conversations.</summary>
public static class PeerHandlers
{
    /// <param name="drain">Begins to drain this silo.</param>
    public static IReadOnlyDictionary<string, PeerHandler> Of(LocalCluster cluster, Func<bool> drain)
    {
        var turns = new TurnHandlers(cluster);
        var json = ContractsJson.Default;
        return new Dictionary<string, PeerHandler>
        {
            [PeerMethods.RunTurn] = turns.RunAsync,
            [PeerMethods.AttachTurn] = turns.AttachAsync,
            [PeerMethods.RunCompletion] = turns.RunCompletionAsync,
            [PeerMethods.PullCache] = cluster.Caches.HandleAsync,
            [PeerMethods.MoveIn] = cluster.MovesIn.HandleAsync,
            [PeerMethods.CancelTurn] = One(json.TurnCall, json.DoneAnswer,
                async (c, stop) => new DoneAnswer(await cluster.CancelTurnAsync(c.Tenant, c.Conversation, c.Turn, stop)),
                failure => new DoneAnswer(false, failure)),
            [PeerMethods.DescribeConversation] = Conversation((c, stop) =>
                cluster.DescribeConversationAsync(c.Tenant, c.Conversation, stop)),
            [PeerMethods.SpillConversation] = Conversation((c, stop) =>
                cluster.SpillConversationAsync(c.Tenant, c.Conversation, stop)),
            [PeerMethods.MigrateConversation] = Conversation((c, stop) =>
                cluster.MigrateConversationAsync(c.Tenant, c.Conversation, c.Silo, stop)),
            [PeerMethods.ForgetConversation] = One(json.ConversationCall, json.DoneAnswer, async (c, stop) =>
            {
                await cluster.ForgetConversationAsync(c.Tenant, c.Conversation);
                return new DoneAnswer(true);
            }, failure => new DoneAnswer(false, failure)),
            [PeerMethods.Tokenize] = Text(async (c, stop) =>
                new TextAnswer(await cluster.TokenizeAsync(c.Model, c.Text ?? "", c.AddSpecialTokens, stop), null)),
            [PeerMethods.TokenizeChat] = Text(async (c, stop) =>
                new TextAnswer(await cluster.TokenizeChatAsync(c.Model, c.Items ?? [], stop), null)),
            [PeerMethods.Detokenize] = Text(async (c, stop) =>
                new TextAnswer(null, await cluster.DetokenizeAsync(c.Model, c.Tokens ?? [], stop))),
            [PeerMethods.DrainSilo] = (call, stop) => SendAsync(call, new DoneAnswer(drain()), json.DoneAnswer, stop),
        };

        PeerHandler Conversation(Func<ConversationCall, CancellationToken, ValueTask<ConversationInfo?>> answer) =>
            One(json.ConversationCall, json.ConversationAnswer,
                async (c, stop) => new ConversationAnswer(await answer(c, stop)),
                failure => new ConversationAnswer(null, failure));

        PeerHandler Text(Func<TextCall, CancellationToken, Task<TextAnswer>> answer) =>
            One(json.TextCall, json.TextAnswer, answer, failure => new TextAnswer(null, null, failure));
    }

    /// <summary>A call with one answer.</summary>
    static PeerHandler One<TCall, TAnswer>(JsonTypeInfo<TCall> callType, JsonTypeInfo<TAnswer> answerType,
        Func<TCall, CancellationToken, Task<TAnswer>> answer, Func<TurnFailure, TAnswer> failed) => async (call, stop) =>
    {
        TAnswer said;
        try
        {
            said = await answer(Read(call.Request, callType), stop);
        }
        catch (Exception e) when (!stop.IsCancellationRequested && Failures.Of(e) is not null)
        {
            said = failed(Failures.Of(e)!);
        }
        await SendAsync(call, said, answerType, stop);
    };

    /// <exception cref="TurnFailedException">The bytes are no such call: the peer is of another version.</exception>
    internal static T Read<T>(ReadOnlyMemory<byte> json, JsonTypeInfo<T> type)
    {
        try
        {
            if (JsonSerializer.Deserialize(json.Span, type) is { } value)
                return value;
        }
        catch (JsonException e)
        {
            throw new TurnFailedException(TurnError.Internal, $"A peer's call cannot be read: {e.Message}");
        }
        throw new TurnFailedException(TurnError.Internal, "A peer's call is empty.");
    }

    internal static async Task SendAsync<T>(PeerCall call, T answer, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        await call.SendAsync(JsonSerializer.SerializeToUtf8Bytes(answer, type), cancellationToken);

    /// <summary>How a call broke whose handler was told to stop.</summary>
    internal static async Task<PeerFault> FaultOfAsync(PeerCall call)
    {
        try
        {
            using var message = await call.ReceiveAsync(new CancellationToken(canceled: true));
            return PeerFault.Aborted;
        }
        catch (PeerException e)
        {
            return e.Fault;
        }
        catch (OperationCanceledException)
        {
            return PeerFault.Lost;
        }
    }
}
