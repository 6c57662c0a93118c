using Hearth.Text.Templates;
using Xunit;

namespace Hearth.Text.Tests.Templates;

public sealed class ChatTemplateFileTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("hearth-template-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void TheJinjaFileComesBeforeTheConfig()
    {
        Write("chat_template.jinja", "file");
        Write("tokenizer_config.json", """{"chat_template": "config", "bos_token": "<s>", "eos_token": {"content": "</s>"}}""");
        var found = ChatTemplateFile.Load(_folder)!;
        Assert.Equal("file", Text(found.For(withTools: false)));
        Assert.Equal(("<s>", "</s>", null), (found.BosToken, found.EosToken, found.PadToken));
    }

    [Fact]
    public void AListOfTemplatesHasOneForTools()
    {
        Write(
            "tokenizer_config.json",
            """{"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}""");
        Write("special_tokens_map.json", """{"bos_token": {"content": "<b>"}, "pad_token": "<p>"}""");
        var found = ChatTemplateFile.Load(_folder)!;
        Assert.Equal(("d", "t"), (Text(found.For(withTools: false)), Text(found.For(withTools: true))));
        Assert.Equal(("<b>", null, "<p>"), (found.BosToken, found.EosToken, found.PadToken));
    }

    [Fact]
    public void AFolderWithoutATemplateHasNone()
    {
        Assert.Null(ChatTemplateFile.Load(_folder));
        Write("tokenizer_config.json", """{"bos_token": "<s>"}""");
        Assert.Null(ChatTemplateFile.Load(_folder));
    }

    [Fact]
    public void ABrokenFileIsNamedInTheError()
    {
        Write("tokenizer_config.json", "{");
        var broken = Assert.Throws<TokenizerException>(() => ChatTemplateFile.Load(_folder));
        Assert.Contains("tokenizer_config.json", broken.Message, StringComparison.Ordinal);
        Write("tokenizer_config.json", """{"chat_template": "a\n{% if %}"}""");
        var error = Assert.Throws<TemplateException>(() => ChatTemplateFile.Load(_folder));
        Assert.Equal((2, TemplateErrorKind.Syntax), (error.Line, error.Kind));
        Assert.Contains("tokenizer_config.json:2", error.Message, StringComparison.Ordinal);
    }

    static string Text(ChatTemplate template) =>
        string.Concat(template.Render(Rendering.Conversation(), TestContext.Current.CancellationToken).Select(s => s.Text));

    void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder, name), text);
}
