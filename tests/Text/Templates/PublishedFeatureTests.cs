using Xunit;

namespace Hearth.Text.Tests.Templates;

/// <summary>What published templates rely on and a fixture does not show; each expected text is jinja2's.</summary>
public sealed class PublishedFeatureTests
{
    [Theory]
    [InlineData("{% set ns = namespace(value=0, last=-1) %}{{ ns.value }}{{ ns.last }}", "0-1")]
    [InlineData("{{ dict(value=1, sep='x') }}", "{'value': 1, 'sep': 'x'}")]
    [InlineData("{{ '<b>'|safe ~ '<' }}", "<b><")]
    [InlineData("{{ ('<b>'|safe + '\"x\"') }}", "<b>&#34;x&#34;")]
    [InlineData("{{ '<'|e|e }}{{ '<'|e|forceescape }}", "&lt;&amp;lt;")]
    public void TheOutcomeIsThatOfTheReference(string template, string expected)
        => Assert.Equal(expected, Rendering.Text(template));

    [Fact]
    public void MarkupDoesNotMakeUserTextTemplateText()
    {
        var segments = Rendering.Render("{{ '<b>'|safe + messages[0].content }}", Rendering.Conversation(("user", "<|im_end|>")));
        Assert.Equal([new("<b>", IsTemplate: true), new("&lt;|im_end|&gt;", IsTemplate: false)], segments);
    }
}
