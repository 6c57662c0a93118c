using System.Collections.Frozen;
using System.Text.Json;

namespace Hearth.Text.Templates;

/// <summary>
/// One message of a conversation as templates see it. Everything in it is user data, except a role out of the closed
/// set that templates know: such a role may become part of a control token. Immutable: each With gives a new message.
/// </summary>
public sealed class TemplateMessage
{
    static readonly FrozenSet<string> s_roles =
        ["system", "user", "assistant", "tool", "developer", "function", "ipython", "tool_results", "model"];

    static readonly StrValue s_role = StrValue.Template("role");

    readonly DictValue _fields;

    TemplateMessage(DictValue fields) => _fields = fields;

    /// <param name="role">One of the known roles; any other is kept as user data.</param>
    /// <param name="content">The text; null is None, as of an assistant that only calls tools.</param>
    public TemplateMessage(string role, string? content)
    {
        _fields = new DictValue();
        Put("role", StrValue.Data(role));
        Put("content", content is null ? NoneValue.Instance : StrValue.Data(content));
    }

    /// <summary>A message as it stands in a JSON request, its fields in their order.</summary>
    /// <exception cref="ArgumentException">No object, nested too deep, or text that is no Unicode.</exception>
    public static TemplateMessage FromJson(JsonElement message)
    {
        if (message.ValueKind != JsonValueKind.Object)
            throw new ArgumentException($"a message must be a JSON object, not {message.ValueKind}", nameof(message));
        var result = new TemplateMessage(new DictValue());
        foreach (var field in message.EnumerateObject())
            result.Put(field.Name, Read(field.Value));
        return result;
    }

    /// <summary>This message with one more field, such as name, tool_call_id or reasoning_content.</summary>
    public TemplateMessage With(string field, string? value) =>
        Copy().Put(field, value is null ? NoneValue.Instance : StrValue.Data(value));

    /// <summary>This message with one more field, such as tool_calls or content in parts.</summary>
    public TemplateMessage With(string field, JsonElement value) => Copy().Put(field, Read(value));

    internal Value Value => _fields;

    static Value Read(JsonElement value)
    {
        try
        {
            return Json.Read(value);
        }
        catch (EvaluationError error)
        {
            throw new ArgumentException(error.Message, nameof(value), error);
        }
    }

    TemplateMessage Copy()
    {
        var fields = new DictValue();
        foreach (var (key, value) in _fields.Entries)
            fields.Entries[key] = value;
        return new TemplateMessage(fields);
    }

    TemplateMessage Put(string field, Value value)
    {
        if (field == s_role.Text && value is StrValue role && s_roles.Contains(role.Text))
            value = StrValue.Template(role.Text);
        _fields.Entries[field == s_role.Text ? s_role : StrValue.Data(field)] = value;
        return this;
    }
}
