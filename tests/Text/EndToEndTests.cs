using System.Globalization;
using System.Text.Json;
using Hearth.Text.Templates;
using Hearth.Text.Tests.Templates;
using Xunit;

namespace Hearth.Text.Tests;

/// <summary>From a checkpoint's folder and messages to prompt ids: template, segments and tokenizer together.</summary>
public sealed class EndToEndTests
{
    public static TheoryData<string> Names => [.. GoldenFolder.Names("e2e")];

    [Theory, MemberData(nameof(Names))]
    public void MessagesBecomeThePromptIdsOfTheReference(string name)
    {
        var folder = GoldenFolder.PathOf("e2e", name);
        var tokenizer = Tokenizer.Load(folder);
        var templates = ChatTemplateFile.Load(folder)!;
        using var document = GoldenFolder.Json("e2e", name, "e2e.json");
        var now = DateTimeOffset.Parse(document.RootElement.GetProperty("now").GetString() + "Z", CultureInfo.InvariantCulture);
        var compared = 0;
        foreach (var item in document.RootElement.GetProperty("cases").EnumerateArray())
        {
            if (!item.TryGetProperty("prompt_ids", out var ids))
            {
                continue; // The template refuses these messages.
            }

            var context = GoldenTemplates.Context(item, now) with
            {
                AddGenerationPrompt = true,
                BosToken = templates.BosToken,
                EosToken = templates.EosToken,
                Variables = new Dictionary<string, JsonElement>(),
            };
            var segments = templates.For(context.Tools is not null).Render(context, TestContext.Current.CancellationToken);
            Assert.Equal(item.GetProperty("prompt").GetString(), string.Concat(segments.Select(segment => segment.Text)));
            Assert.Equal(ids.EnumerateArray().Select(id => id.GetInt32()), tokenizer.Encode(segments));
            compared++;
        }

        Assert.True(compared >= 4, $"only {compared} prompts were compared");
    }

    [Theory, MemberData(nameof(Names))]
    public void ReplyIdsBecomeTheTextOfTheReferenceWholeAndAsTheyCome(string name)
    {
        var tokenizer = Tokenizer.Load(GoldenFolder.PathOf("e2e", name));
        using var document = GoldenFolder.Json("e2e", name, "e2e.json");
        var compared = 0;
        foreach (var item in document.RootElement.GetProperty("cases").EnumerateArray())
        {
            if (!item.TryGetProperty("greedy_ids", out var list))
            {
                continue; // The template refuses these messages.
            }

            int[] ids = [.. list.EnumerateArray().Select(id => id.GetInt32())];
            Assert.Equal(item.GetProperty("text").GetString(), tokenizer.Decode(ids, skipSpecialTokens: true));
            Assert.Equal(item.GetProperty("text_with_specials").GetString(), tokenizer.Decode(ids, skipSpecialTokens: false));
            var decoder = new IncrementalDecoder(tokenizer, skipSpecialTokens: true);
            var shown = "";
            var prefixes = item.GetProperty("prefix_texts").EnumerateArray().Select(text => text.GetString()!).ToArray();
            for (var i = 0; i < prefixes.Length; i++)
            {
                // What is out already must stay true; only a code point that may still be completed is held back.
                shown += decoder.Push(ids[i]);
                Assert.StartsWith(shown, prefixes[i], StringComparison.Ordinal);
            }

            Assert.Equal(item.GetProperty("text").GetString(), shown + decoder.Flush());
            compared++;
        }

        Assert.True(compared >= 4, $"only {compared} replies were compared");
    }
}
