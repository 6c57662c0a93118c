using System.Text.Json;
using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary>The <c>messages</c> of a chat request as conversation items.</summary>
static class Messages
{
    public static IReadOnlyList<ConversationItem> Read(Fields request)
    {
        var items = new List<ConversationItem>();
        foreach (var (value, path) in request.Items("messages", Limits.MessagesMax))
        {
            if (value.ValueKind != JsonValueKind.Object)
            {
                request.Faults.Add(path, "must be an object.");
            }
            else
            {
                ReadOne(new Fields(value, path, request.Faults), items);
            }
            if (request.Faults.First is not null)
            {
                return [];
            }
        }
        if (items.Count == 0)
        {
            request.Fail("messages", "must be an array of at least one message.");
        }
        return items;
    }

    static void ReadOne(Fields message, List<ConversationItem> items)
    {
        switch (message.Text("role", 16))
        {
            case "system":
                Add(Role.System);
                break;
            case "developer":
                Add(Role.Developer);
                break;
            case "user":
                Add(Role.User);
                break;
            case "assistant":
                if (message.Has("content") || !message.Has("tool_calls"))
                {
                    Add(Role.Assistant);
                }
                items.AddRange(ToolCalls(message));
                break;
            case "tool":
                items.Add(new FunctionCallOutputItem
                {
                    CallId = Required(message, "tool_call_id", Limits.ToolIdMax),
                    Output = string.Concat(Content(message, ContentKind.InputText).Select(p => p.Text)),
                });
                break;
            default:
                message.Fail("role", "must be system, developer, user, assistant or tool.");
                break;
        }

        void Add(Role role) => items.Add(new MessageItem
        {
            Role = role,
            Name = message.Text("name", Limits.ParticipantNameMax),
            Content = Content(message, role == Role.Assistant ? ContentKind.OutputText : ContentKind.InputText),
        });
    }

    static List<ContentPart> Content(Fields message, ContentKind kind)
    {
        var parts = new List<ContentPart>();
        switch (message.Get("content"))
        {
            case { ValueKind: JsonValueKind.String }:
                parts.Add(new ContentPart(kind, message.Text("content", Limits.ContentCharsMax) ?? ""));
                break;
            case { ValueKind: JsonValueKind.Array }:
                foreach (var (value, path) in message.Items("content", Limits.PartsMax))
                {
                    parts.Add(new ContentPart(kind, Part(value, path, message.Faults)));
                }
                break;
        }
        if (parts.Count == 0)
        {
            message.Fail("content", "must be a string, or an array of at least one text part.");
        }
        return parts;
    }

    static string Part(JsonElement value, string path, Faults faults)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            faults.Add(path, "must be an object.");
            return "";
        }
        var part = new Fields(value, path, faults);
        if (part.Text("type", 64) != "text")
        {
            part.Fail("type", "must be 'text': images, audio and files are not supported.");
            return "";
        }
        return Required(part, "text", Limits.ContentCharsMax);
    }

    static IEnumerable<FunctionCallItem> ToolCalls(Fields message)
    {
        foreach (var (value, path) in message.Items("tool_calls", Limits.ToolCallsMax))
        {
            if (value.ValueKind != JsonValueKind.Object)
            {
                message.Faults.Add(path, "must be an object.");
                yield break;
            }
            var call = new Fields(value, path, message.Faults);
            if (call.Object("function") is not { } function)
            {
                call.Fail("function", "is needed: only function calls are supported.");
                yield break;
            }
            var name = Required(function, "name", 64);
            if (name.Length == 0 || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not '_' and not '-'))
            {
                function.Fail("name", "must be 1 to 64 of A-Z a-z 0-9 _ -.");
            }
            yield return new FunctionCallItem
            {
                CallId = Required(call, "id", Limits.ToolIdMax),
                Name = name,
                Arguments = Required(function, "arguments", Limits.ContentCharsMax),
            };
        }
    }

    static string Required(Fields fields, string name, int charsMax)
    {
        if (!fields.Has(name))
        {
            fields.Fail(name, "is needed.");
        }
        return fields.Text(name, charsMax) ?? "";
    }
}
