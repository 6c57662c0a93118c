using Google.Protobuf;
using Hearth.Contracts;
using V1 = Hearth.Gateway.Grpc.V1;

namespace Hearth.Gateway;

/// <summary>What the cluster says, as messages of the gRPC service.</summary>
static class GrpcEvents
{
    /// <exception cref="GrpcException">The turn failed: the call ends with its status.</exception>
    public static V1.TurnEvent Of(TurnEvent happened)
    {
        var message = new V1.TurnEvent { Sequence = happened.Sequence };
        switch (happened)
        {
            case TurnStarted started:
                message.Started = Of(started);
                break;
            case TurnDelta delta:
                message.Delta = new V1.TurnDelta { Choice = delta.Choice, Text = delta.Text };
                message.Delta.Logprobs.AddRange(delta.Logprobs.Select(Of));
                break;
            case ChoiceFinished choice:
                var reason = choice.Reason == FinishReason.Stop ? V1.FinishReason.Stop : V1.FinishReason.Length;
                message.ChoiceFinished = new V1.ChoiceFinished { Choice = choice.Choice, Reason = reason };
                break;
            case TurnFinished finished:
                message.Finished = new V1.TurnFinished
                {
                    PromptTokens = finished.Usage.PromptTokens,
                    CompletionTokens = finished.Usage.CompletionTokens,
                    CachedTokens = finished.Usage.CachedTokens,
                    Replayed = finished.Replayed,
                };
                break;
            case TurnFailed failed:
                throw new GrpcException(ApiError.Of(failed.Failure));
            default:
                throw new InvalidOperationException($"A turn has no event {happened.GetType().Name} here.");
        }
        return message;
    }

    public static V1.Conversation Of(ConversationInfo? conversation) => conversation is null
        ? throw new GrpcException(
            ApiError.Of(new TurnFailure(TurnError.ConversationNotFound, "There is no such conversation.", "conversation")))
        : new V1.Conversation
        {
            Conversation_ = conversation.Id,
            Silo = conversation.Silo,
            Epoch = conversation.Epoch,
            State = conversation.State,
            Turns = conversation.Turns,
            CachedTokens = conversation.CachedTokens,
            Tier = conversation.Tier,
            Bytes = conversation.Bytes,
            SpilledTokens = conversation.SpilledTokens,
        };

    static V1.TurnStarted Of(TurnStarted started) => new()
    {
        Conversation = started.Conversation.Value,
        Turn = started.Turn.Value,
        Silo = started.Silo,
        Model = started.Model,
        CreatedMs = started.Created.ToUnixTimeMilliseconds(),
        PromptTokens = started.PromptTokens,
        CachedTokens = started.CachedTokens,
        Cache = TurnReply.NameOf(started.Cache),
        CacheReason = started.CacheReason ?? "",
    };

    static V1.TokenLogprob Of(TokenLogprob token)
    {
        var message = Of(token.Token, token.Bytes, token.Logprob);
        message.Top.AddRange(token.Top.Select(t => Of(t.Token, t.Bytes, t.Logprob)));
        return message;
    }

    static V1.TokenLogprob Of(string token, byte[] bytes, float logprob) =>
        new() { Token = token, Bytes = ByteString.CopyFrom(bytes), Logprob = logprob };
}
