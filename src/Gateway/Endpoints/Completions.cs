using Hearth.Contracts;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary><c>POST /v1/completions</c>: raw prompts, without a conversation.</summary>
sealed class Completions(ICluster cluster, TurnDoor door, TurnReply reply)
{
    public async Task HandleAsync(HttpContext http)
    {
        var (body, bad) = await RequestBody.ReadAsync(http);
        using (body)
        {
            if (body is null)
            {
                await ErrorReply.SendAsync(http, bad!);
                return;
            }
            var faults = new Faults();
            if (CompletionRequest.Read(body.Root, cluster.Models, faults) is not { } request)
            {
                await ErrorReply.SendAsync(http, faults.First!);
                return;
            }
            if (await door.RefusesAsync(http, out var lease))
            {
                return;
            }
            using (lease)
            {
                await RunAsync(http, request);
            }
        }
    }

    Task RunAsync(HttpContext http, CompletionRequest request)
    {
        var id = TurnIds.Of(http);
        var turns = request.Prompts.Select((prompt, i) => new CompletionTurn
        {
            Id = i == 0 ? id : new TurnId($"{id.Value}:{i}"),
            Tenant = http.Tenant(),
            Model = request.Model,
            Prompt = prompt.Text,
            PromptTokens = prompt.Tokens,
            Generation = request.Generation,
            CacheSalt = request.CacheSalt,
        }).ToArray();
        var head = new ReplyHead("cmpl-", request.Model, turns.Length * request.Generation.Choices,
            request.Generation.Logprobs, request.Delivery);
        var events = TurnStreams.RunAsync(cluster, turns);
        return reply.SendAsync(http, events, new TextFormat(head),
            new TurnSubject("text_completion", request.Model, "", id.Value, request.Generation, request.Delivery.Stream));
    }
}
