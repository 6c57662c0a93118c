using Hearth.Text.Templates;

namespace Hearth.Text.Tests.Templates;

/// <summary>Renders small templates over a small conversation.</summary>
static class Rendering
{
    public static readonly DateTimeOffset Now = new(2024, 7, 26, 12, 34, 56, TimeSpan.Zero);

    public static TemplateContext Conversation(params (string Role, string Content)[] messages) => new()
    {
        Messages = [.. messages.Select(m => new TemplateMessage(m.Role, m.Content))],
        BosToken = "<s>",
        EosToken = "</s>",
        AddGenerationPrompt = true,
        Now = Now,
    };

    public static IReadOnlyList<TextSegment> Render(string template, TemplateContext? context = null) =>
        ChatTemplate.Parse(template, "test.jinja").Render(context ?? Conversation(), CancellationToken.None);

    public static string Text(string template, TemplateContext? context = null) =>
        string.Concat(Render(template, context).Select(s => s.Text));
}
