using System.Text;
using Hearth.Text.Templates;
using Xunit;

namespace Hearth.Text.Tests.Templates;

public sealed class TemplateFuzzTests
{
    static readonly string[] s_pieces =
    [
        "{{ ", " }}", "{% ", " %}", "{%- ", "-%}", "{#", "#}", "(", ")", "[", "]", "{", "}", "|", ".", ",", ":", "~", "+", "-",
        "*", "**", "//", "%", " if ", " else ", " for x in ", "endfor", "endif", " is ", " not ", " in ", "set ", "macro ",
        "call ", "'", "\"", "\\", "\n", "0", "1e9", "-1", "99999999", "loop", "messages", "range(9)", "|list", "|tojson",
        "|join", "|map",
        "none", "true", "x", "=", "==", "<", "namespace(x=1)", "_",
    ];

    [Fact]
    public void AMutatedTemplateFailsOnlyWithATemplateException()
    {
        var random = new Random(20240726);
        var seeds = GoldenTemplates.Names.SelectMany(GoldenTemplates.Cases).ToList();
        for (var i = 0; i < 2000; i++)
        {
            var seed = seeds[random.Next(seeds.Count)];
            var source = Mutate(seed.Template.Text, random);
            try
            {
                var segments = ChatTemplate.Parse(source, "fuzz").Render(seed.Context, TestContext.Current.CancellationToken);
                Assert.All(segments, segment => Assert.NotEmpty(segment.Text));
            }
            catch (TemplateException error)
            {
                Assert.True(error.Line > 0 && error.Reason.Length > 0, source);
            }
            catch (Exception error) when (error is not OperationCanceledException)
            {
                Assert.Fail($"{error}\n{source}");
            }
        }
    }

    static string Mutate(string source, Random random)
    {
        var text = new StringBuilder(source);
        for (var edits = random.Next(1, 4); edits > 0; edits--)
        {
            var at = random.Next(text.Length + 1);
            var length = Math.Min(random.Next(8), text.Length - at);
            switch (random.Next(3))
            {
                case 0:
                    text.Remove(at, length);
                    break;
                case 1:
                    text.Insert(at, s_pieces[random.Next(s_pieces.Length)]);
                    break;
                default:
                    var from = Math.Min(at, source.Length);
                    text.Insert(at, source.AsSpan(from, Math.Min(length, source.Length - from)));
                    break;
            }
        }
        return text.ToString();
    }
}
