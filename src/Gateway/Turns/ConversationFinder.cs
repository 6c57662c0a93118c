using System.Security.Cryptography;
using System.Text;
using Hearth.Contracts;
using Microsoft.AspNetCore.Http;

namespace Hearth.Gateway;

/// <summary>Which conversation a chat request belongs to, and what its messages are to it. In order:
/// (1) the one that the body names, (2) the one of a session header, (3) the one of an idempotency key, so that the same
/// request sent again meets its first run, (4) the one whose newest state is the history sent, (5) a new one.</summary>
static class ConversationFinder
{
    /// <summary>Session headers of the clients in use; the first one that is there counts.</summary>
    public static readonly IReadOnlyList<string> SessionHeaders =
        ["X-Session-ID", "X-Conversation-ID", "Session-ID", "X-Session-Affinity", "X-Claude-Code-Session-ID"];

    public static async ValueTask<(ConversationId Id, HistoryMode Mode)> FindAsync(HttpContext http, ChatRequest request,
        ICluster cluster)
    {
        var tenant = http.Tenant();
        if (request.Conversation is { } named)
        {
            return (named, HistoryMode.Append);
        }
        foreach (var header in SessionHeaders)
        {
            if (http.Request.Headers[header] is [{ Length: > 0 } session])
            {
                return (Derive("session", tenant, session), HistoryMode.Whole);
            }
        }
        if (TurnIds.KeyOf(http) is { } key)
        {
            return (Derive("key", tenant, key), HistoryMode.Whole);
        }
        if (KnownHistory(request.Items) is { } known
            && await cluster.FindByHistoryAsync(tenant, HistoryHash.Of(request.Model, known), http.RequestAborted) is { } found)
        {
            return (found, HistoryMode.WholeFound);
        }
        return (New(), HistoryMode.Whole);
    }

    public static ConversationId New() => new(RequestContext.NewId("conv_"));

    /// <summary>The messages up to and including the model's last one; null if it has said nothing yet.</summary>
    static IEnumerable<ConversationItem>? KnownHistory(IReadOnlyList<ConversationItem> items)
    {
        for (var i = items.Count - 1; i >= 0; i--)
        {
            if (items[i] is MessageItem { Role: Role.Assistant } or FunctionCallItem)
            {
                return items.Take(i + 1);
            }
        }
        return null;
    }

    static ConversationId Derive(string kind, TenantId tenant, string value)
    {
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes($"{kind}\n{tenant.Value}\n{value}"));
        return new ConversationId("conv_" + Convert.ToHexStringLower(digest.AsSpan(0, 16)));
    }
}

/// <summary>A turn's id: the client's idempotency key, or a random one.</summary>
static class TurnIds
{
    public static string? KeyOf(HttpContext http) =>
        http.Request.Headers["Idempotency-Key"] is [{ Length: > 0 } key] ? key : null;

    public static TurnId Of(HttpContext http) => KeyOf(http) switch
    {
        null => new TurnId(RequestContext.NewId("turn_")),
        // Half of the alphabet's length is left for the part of a turn that has several.
        { Length: <= ConversationId.LengthMax / 2 } key when ConversationId.IsValid(key) => new TurnId(key),
        { } key => new TurnId("key_" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))),
    };
}
