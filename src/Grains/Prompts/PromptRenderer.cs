using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Contracts;
using Hearth.Text;
using Hearth.Text.Templates;

namespace Hearth.Grains.Prompts;

/// <summary>Renders a conversation with its model's chat template.</summary>
static class PromptRenderer
{
    /// <exception cref="TurnFailedException">The model has no chat template.</exception>
    /// <exception cref="TemplateException">The template refused the messages, or failed.</exception>
    public static IReadOnlyList<TextSegment> Render(ServedModel model, IEnumerable<ConversationItem> items,
        IReadOnlyDictionary<string, JsonElement>? arguments, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (model.Template is not { } file)
        {
            throw new TurnFailedException(TurnError.TemplateFailed,
                $"The model {model.Card.Name} has no chat template: it completes text only (/v1/completions).");
        }
        var context = new TemplateContext
        {
            Messages = Messages(model, items),
            AddGenerationPrompt = true,
            BosToken = file.BosToken,
            EosToken = file.EosToken,
            PadToken = file.PadToken,
            UnkToken = file.UnkToken,
            Variables = arguments ?? new Dictionary<string, JsonElement>(),
            Now = now,
        };
        return file.For(withTools: false).Render(context, cancellationToken);
    }

    /// <summary>One message per item; the calls of an assistant join the message before them.</summary>
    static List<TemplateMessage> Messages(ServedModel model, IEnumerable<ConversationItem> items)
    {
        var messages = new List<TemplateMessage>();
        (string? Text, List<FunctionCallItem> Calls)? assistant = null;
        foreach (var item in items)
        {
            switch (item)
            {
                case FunctionCallItem call:
                    assistant ??= (null, []);
                    assistant.Value.Calls.Add(call);
                    continue;
                case ReasoningItem:
                    continue;
            }
            Close();
            switch (item)
            {
                case MessageItem { Role: Role.Assistant, Name: null } message:
                    assistant = (message.Text, []);
                    break;
                case MessageItem message:
                    var plain = new TemplateMessage(RoleOf(model, message.Role), message.Text);
                    messages.Add(message.Name is { } name ? plain.With("name", name) : plain);
                    break;
                case FunctionCallOutputItem output:
                    messages.Add(new TemplateMessage("tool", output.Output).With("tool_call_id", output.CallId));
                    break;
            }
        }
        Close();
        return messages;

        void Close()
        {
            if (assistant is not var (text, calls))
                return;
            var message = new TemplateMessage("assistant", text);
            messages.Add(calls.Count == 0 ? message : message.With("tool_calls", Calls(calls)));
            assistant = null;
        }
    }

    static string RoleOf(ServedModel model, Role role) => role switch
    {
        Role.Developer => model.KnowsDeveloper ? "developer" : "system",
        Role.System => "system",
        Role.User => "user",
        Role.Assistant => "assistant",
        _ => "tool",
    };

    static JsonElement Calls(List<FunctionCallItem> calls) => JsonSerializer.SerializeToElement(
        new JsonArray([.. calls.Select(c => new JsonObject
        {
            ["id"] = c.CallId,
            ["type"] = "function",
            ["function"] = new JsonObject { ["name"] = c.Name, ["arguments"] = Arguments(c.Arguments) },
        })]), JsonNodeContext.Default.JsonArray);

    /// <summary>Templates expect an object; a model's malformed arguments stay the text that it wrote.</summary>
    static JsonNode? Arguments(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return JsonValue.Create(text);
        }
    }
}

[System.Text.Json.Serialization.JsonSerializable(typeof(JsonArray))]
sealed partial class JsonNodeContext : System.Text.Json.Serialization.JsonSerializerContext;
