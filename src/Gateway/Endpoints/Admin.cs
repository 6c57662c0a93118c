using System.Globalization;
using System.Text.Json;
using Hearth.Contracts;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary><c>/admin/conversations</c>: what the cluster holds for the administrator's tenant.</summary>
sealed class Admin(ICluster cluster)
{
    const int ListedDefault = 100;

    public async Task ListAsync(HttpContext http)
    {
        var limit = ListedDefault;
        if (http.Request.Query["limit"] is [{ } text]
            && !(int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit)
                && limit is >= 1 and <= Limits.ConversationsListedMax))
        {
            await ErrorReply.SendAsync(http, ApiError.Field("limit", $"limit: must be 1 to {Limits.ConversationsListedMax}."));
            return;
        }
        var list = await cluster.ListConversationsAsync(http.Tenant(), limit, http.RequestAborted);
        await JsonReply.SendAsync(http, 200, json =>
        {
            json.WriteStartObject();
            json.WriteString("object", "list");
            json.WriteStartArray("data");
            foreach (var conversation in list)
            {
                Write(json, conversation);
            }
            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    public Task ShowAsync(HttpContext http) => WithIdAsync(http, async id =>
        await AnswerAsync(http, await cluster.DescribeConversationAsync(http.Tenant(), id, http.RequestAborted)));

    public Task SpillAsync(HttpContext http) => WithIdAsync(http, async id =>
        await AnswerAsync(http, await cluster.SpillConversationAsync(http.Tenant(), id, http.RequestAborted)));

    public Task DeleteAsync(HttpContext http) => WithIdAsync(http, async id =>
    {
        var found = await cluster.DeleteConversationAsync(http.Tenant(), id, http.RequestAborted);
        await (found
            ? JsonReply.SendAsync(http, 200, json =>
            {
                json.WriteStartObject();
                json.WriteString("id", id.Value);
                json.WriteString("object", "conversation.deleted");
                json.WriteBoolean("deleted", true);
                json.WriteEndObject();
            })
            : AnswerAsync(http, null));
    });

    static Task WithIdAsync(HttpContext http, Func<ConversationId, Task> handle) =>
        http.Request.RouteValues["id"] is string id && ConversationId.IsValid(id)
            ? handle(new ConversationId(id))
            : AnswerAsync(http, null);

    static Task AnswerAsync(HttpContext http, ConversationInfo? conversation) => conversation is null
        ? ErrorReply.SendAsync(http, new TurnFailure(TurnError.ConversationNotFound, "There is no such conversation."))
        : JsonReply.SendAsync(http, 200, json => Write(json, conversation));

    static void Write(Utf8JsonWriter json, ConversationInfo conversation) =>
        JsonSerializer.Serialize(json, conversation, ContractsJson.Default.ConversationInfo);
}
