using Hearth.Contracts;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary><c>/v1/conversations/{conversation}/turns/{turn}</c>: the rest of a stream that broke, through any gateway, and the
/// way to stop a turn from outside.</summary>
sealed class ConversationTurns(ICluster cluster, TurnDoor door, TurnReply reply)
{
    /// <summary><c>GET …/events?starting_after=N</c> or with <c>Last-Event-ID: N</c>: from the turn's start without
    /// either.</summary>
    public async Task EventsAsync(HttpContext http)
    {
        var given = http.Request.Query["starting_after"] is [{ } asked] ? asked
            : http.Request.Headers["Last-Event-ID"] is [{ Length: > 0 } seen] ? seen : null;
        var after = given is null ? StreamPosition.Start : StreamPosition.Parse(given);
        if (after is not { } position)
        {
            await ErrorReply.SendAsync(http, ApiError.Field(
                "starting_after", "starting_after: must be the id of an event of this stream, such as 7 or 7.0."));
            return;
        }
        if (await door.RefusesAsync(http, out var lease))
        {
            return;
        }
        using (lease)
        {
            await WithTurnAsync(http, (conversation, turn) =>
            {
                // From the first event on, which says how the stream looks; what the client has is not sent again.
                var events = cluster.AttachTurnAsync(http.Tenant(), conversation, turn, 0, CancellationToken.None);
                var usage = http.Request.Query["include_usage"] is [{ } flag] && bool.TryParse(flag, out var wanted) && wanted;
                return reply.ResumeAsync(http, events, position, new Delivery(true, usage, false),
                    new TurnSubject("resume", "", conversation.Value, turn.Value, null, true));
            });
        }
    }

    /// <summary><c>POST …/cancel</c>.</summary>
    public Task CancelAsync(HttpContext http) => WithTurnAsync(http, async (conversation, turn) =>
    {
        if (!await cluster.CancelTurnAsync(http.Tenant(), conversation, turn, http.RequestAborted))
        {
            await ErrorReply.SendAsync(http, new TurnFailure(
                TurnError.ConversationNotFound, "No such turn of this conversation waits or runs."));
            return;
        }
        await JsonReply.SendAsync(http, 200, json =>
        {
            json.WriteStartObject();
            json.WriteString("id", turn.Value);
            json.WriteString("object", "turn");
            json.WriteString("conversation", conversation.Value);
            json.WriteString("status", "cancelled");
            json.WriteEndObject();
        });
    });

    static Task WithTurnAsync(HttpContext http, Func<ConversationId, TurnId, Task> handle) =>
        http.Request.RouteValues["conversation"] is string conversation && ConversationId.IsValid(conversation)
            && http.Request.RouteValues["turn"] is string turn && ConversationId.IsValid(turn)
            ? handle(new ConversationId(conversation), new TurnId(turn))
            : ErrorReply.SendAsync(http, new TurnFailure(TurnError.ConversationNotFound, "There is no such turn."));
}
