using Hearth.Contracts;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary><c>POST /v1/chat/completions</c>: (1) read, (2) check, (3) admit, (4) find the conversation,
/// (5) run, (6) send.</summary>
sealed class ChatCompletions(ICluster cluster, TurnDoor door, TurnReply reply, TimeProvider time)
{
    public async Task HandleAsync(HttpContext http)
    {
        // (1) and (2): of the body nothing is kept while the reply lasts
        var (request, hash, bad) = await ReadAsync(http);
        if (request is null)
        {
            await ErrorReply.SendAsync(http, bad!);
            return;
        }
        // (3)
        if (await door.RefusesAsync(http, out var lease))
        {
            return;
        }
        using (lease)
        {
            await RunAsync(http, request, hash);
        }
    }

    async ValueTask<(ChatRequest? Request, string BodyHash, ApiError? Error)> ReadAsync(HttpContext http)
    {
        var (body, bad) = await RequestBody.ReadAsync(http);
        using (body)
        {
            if (body is null)
            {
                return (null, "", bad);
            }
            var faults = new Faults();
            return ChatRequest.Read(body.Root, cluster.Models, faults) is { } request
                ? (request, body.Hash, null) : (null, "", ApiError.Of(faults.First!));
        }
    }

    async Task RunAsync(HttpContext http, ChatRequest request, string bodyHash)
    {
        // (4)
        var (conversation, mode) = await ConversationFinder.FindAsync(http, request, cluster);
        var turn = new ChatTurn
        {
            Id = TurnIds.Of(http),
            IsIdDrawn = TurnIds.KeyOf(http) is null,
            Tenant = http.Tenant(),
            Conversation = conversation,
            Model = request.Model,
            History = mode,
            Items = request.Items,
            BodyHash = bodyHash,
            Created = time.GetUtcNow(),
            Generation = request.Generation,
            TemplateArguments = request.TemplateArguments,
            CacheSalt = request.CacheSalt,
        };
        // (5) and (6)
        var head = new ReplyHead(ChatFormat.IdPrefix, request.Model, request.Generation.Choices, request.Generation.Logprobs,
            request.Delivery);
        // One found by its history may turn out to have moved on.
        var known = mode == HistoryMode.WholeFound ? "" : conversation.Value;
        await reply.SendAsync(http, TurnStreams.RunAsync(cluster, turn), new ChatFormat(head),
            new TurnSubject("chat", turn.Model, known, turn.Id.Value, turn.Generation, request.Delivery.Stream));
    }
}
