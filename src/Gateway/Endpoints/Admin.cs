using System.Globalization;
using System.Text.Json;
using Hearth.Contracts;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary><c>/admin/conversations</c>: what the cluster holds for the administrator's tenant; <c>/admin/cluster</c> and
/// <c>/admin/silos</c>: where.</summary>
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

    /// <summary><c>POST …/migrate</c> with <c>{"silo": "name or id"}</c>, or without a body where placement may choose.</summary>
    public Task MigrateAsync(HttpContext http) => WithIdAsync(http, async id =>
    {
        string? silo = null;
        if (http.Request.ContentLength is not 0 and not null || http.Request.Headers.TransferEncoding.Count > 0)
        {
            var (body, bad) = await RequestBody.ReadAsync(http);
            using (body)
            {
                var faults = new Faults();
                silo = body is null ? null : new Fields(body.Root, "", faults).Text("silo", Limits.SiloIdMax);
                if ((bad ?? (faults.First is { } first ? ApiError.Of(first) : null)) is { } fault)
                {
                    await ErrorReply.SendAsync(http, fault);
                    return;
                }
            }
        }
        await AnswerAsync(http, await cluster.MigrateConversationAsync(http.Tenant(), id, silo, http.RequestAborted));
    });

    public async Task ClusterAsync(HttpContext http)
    {
        var silos = await cluster.ListSilosAsync(http.RequestAborted);
        var status = cluster.Status;
        await JsonReply.SendAsync(http, 200, json =>
        {
            json.WriteStartObject();
            json.WriteBoolean("ready", status.Ready);
            json.WriteString("reason", status.Reason);
            json.WriteStartArray("silos");
            foreach (var silo in silos)
            {
                JsonSerializer.Serialize(json, silo, ContractsJson.Default.SiloInfo);
            }
            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    /// <summary><c>POST /admin/silos/{silo}/drain</c>: a silo's name, or its id as it is or with %2F.</summary>
    public async Task DrainAsync(HttpContext http)
    {
        const string Verb = "/drain";
        var rest = http.Request.RouteValues["rest"] as string ?? "";
        if (!rest.EndsWith(Verb, StringComparison.Ordinal) || rest.Length is <= 6 or > Limits.SiloIdMax)
        {
            var where = http.Request.Method + " " + FieldPath.Shorten(http.Request.Path);
            await ErrorReply.SendAsync(http, ApiError.OfStatus(404, where));
            return;
        }
        var silo = Uri.UnescapeDataString(rest[..^Verb.Length]);
        if (!await cluster.DrainSiloAsync(silo, http.RequestAborted))
        {
            await ErrorReply.SendAsync(http, ApiError.OfStatus(404, "") with
            {
                Code = "not_found",
                Message = "There is no such silo; GET /admin/cluster lists them.",
            });
            return;
        }
        await JsonReply.SendAsync(http, 202, json =>
        {
            json.WriteStartObject();
            json.WriteString("id", silo);
            json.WriteString("object", "silo");
            json.WriteString("status", "draining");
            json.WriteEndObject();
        });
    }

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
