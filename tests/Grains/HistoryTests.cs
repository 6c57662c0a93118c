using Hearth.Contracts;
using Xunit;
using static Hearth.Grains.Tests.Silo;

namespace Hearth.Grains.Tests;

public sealed class HistoryTests
{
    static readonly ConversationId One = new("c1");

    [Fact]
    public async Task AResentHistoryFindsItsConversationAndOnlyTheNewPartIsAdded()
    {
        await using var silo = Start();
        silo.Says("hello world", "fine");
        List<ConversationItem> history = [MessageItem.Of(Role.System, "be brief"), MessageItem.Of(Role.User, "hi")];
        await silo.SayAsync(Turn("t1", history, HistoryMode.Whole));
        history.Add(MessageItem.Of(Role.Assistant, "hello world"));
        Assert.Equal(One, await silo.Cluster.FindByHistoryAsync(TenantId.Local, HistoryHash.Of(TinyModel.Name, history), Stop));
        history.Add(MessageItem.Of(Role.User, "more"));
        var events = await silo.RunAsync(Turn("t2", history, HistoryMode.WholeFound));
        Assert.Equal(CacheOrigin.Hit, Assert.IsType<TurnStarted>(events[0]).Cache);
        Assert.Null(await silo.Cluster.FindByHistoryAsync(TenantId.Local, HistoryHash.Of(TinyModel.Name, history[..3]), Stop));

        // The same history again: the conversation has moved on, and says so before it does anything.
        Assert.Equal(TurnError.ConversationMoved, await silo.FailAsync(Turn("t3", history, HistoryMode.WholeFound)));
        Assert.Equal(2, silo.Engine.Requests.Count);
        Assert.True(Assert.IsType<TurnFinished>((await silo.RunAsync(Turn("t2", history, HistoryMode.WholeFound)))[^1]).Replayed);
    }

    [Fact]
    public async Task AnEditedMessageKeepsEverythingBeforeIt()
    {
        await using var silo = Start();
        silo.Engine.Script = r => [.. Scattered(silo, r.Prompt.Length % 2 == 0 ? "hello world" : "the winner"), silo.Eos];
        List<ConversationItem> history = [];
        for (var i = 0; i < 3; i++)
        {
            history.Add(MessageItem.Of(Role.User, $"question {i}"));
            var reply = await silo.SayAsync(Turn($"t{i}", history, HistoryMode.Whole));
            history.Add(MessageItem.Of(Role.Assistant, reply));
        }
        var held = silo.LastPrompt;
        history[4] = MessageItem.Of(Role.User, "another question");
        await silo.SayAsync(Turn("edit", history[..5], HistoryMode.Whole));
        const string LastQuestion = "\n<|im_start|>user\nquestion 2<|im_end|>\n<|im_start|>assistant\n";
        var upToSecondReply = silo.Tokenizer.Encode(LastQuestion, false).Length;
        Assert.Equal(held[..^upToSecondReply], silo.LastPrompt[..(held.Length - upToSecondReply)]);
        Assert.Equal(5 + 1, (await silo.Store.ReadAsync(new("local", "c1"), Stop))!.Log.Count);
    }

    [Fact]
    public async Task ARegeneratedReplyReplacesTheOneBefore()
    {
        await using var silo = Start();
        silo.Says("hello world", "the winner", "fine");
        List<ConversationItem> history = [MessageItem.Of(Role.User, "hi")];
        await silo.SayAsync(Turn("t1", history, HistoryMode.Whole));
        var prompt = silo.LastPrompt;
        Assert.Equal("the winner", await silo.SayAsync(Turn("t2", history, HistoryMode.Whole)));
        Assert.Equal(prompt, silo.LastPrompt);
        await silo.SayAsync(Turn("t3", "more"));
        var text = silo.Tokenizer.Decode(silo.LastPrompt, false);
        Assert.Contains("the winner", text, StringComparison.Ordinal);
        Assert.DoesNotContain("hello world", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AConversationIsCutAndForkedAtAnItem()
    {
        await using var silo = Start();
        silo.Engine.Script = _ => [.. Scattered(silo, "hello world"), silo.Eos];
        await silo.SayAsync(Turn("t1", "one"));
        await silo.SayAsync(Turn("t2", "two"));
        var log = (await silo.Store.ReadAsync(new("local", "c1"), Stop))!.Log.Select(Transcripts.Entry.FromBytes).ToList();
        Assert.Equal(4, log.Select(e => e.Item.Id).Distinct().Count());
        var fork = new ConversationId("c2");
        Assert.True(await silo.Cluster.ForkConversationAsync(TenantId.Local, One, fork, log[1].Item.Id, Stop));
        Assert.False(await silo.Cluster.ForkConversationAsync(TenantId.Local, One, fork, null, Stop));
        Assert.False(await silo.Cluster.ForkConversationAsync(TenantId.Local, One, new ConversationId("c3"), "msg_none", Stop));
        Assert.True(await silo.Cluster.TruncateConversationAsync(TenantId.Local, One, log[1].Item.Id!, Stop));
        await silo.SayAsync(Turn("t3", "three"));
        var cut = silo.LastPrompt;
        await silo.SayAsync(Turn("t1", "three", conversation: "c2"));
        Assert.Equal(cut, silo.LastPrompt);
        Assert.DoesNotContain("two", silo.Tokenizer.Decode(cut, false), StringComparison.Ordinal);
    }

    [Theory, InlineData(1), InlineData(2), InlineData(3), InlineData(4)]
    public async Task TheNextPromptBeginsWithExactlyWhatTheEngineGenerated(int seed)
    {
        await using var silo = Start();
        var random = new Random(seed);
        List<int> exact = [];
        silo.Engine.Script = request =>
        {
            var reply = Scattered(silo, RandomText(random), random);
            if (random.Next(4) > 0)
                reply.Add(silo.Eos);
            exact = [.. request.Prompt.Span, .. reply];
            return reply;
        };
        for (var i = 0; i < 12; i++)
        {
            var before = exact;
            await silo.SayAsync(Turn($"t{i}", RandomText(random)));
            Assert.Equal(before, silo.LastPrompt[..before.Count]);
        }
    }

    [Theory, InlineData(1), InlineData(2), InlineData(3)]
    public async Task WhereTheModelWritesAsTheTokenizerDoesThePromptIsThePlainEncoding(int seed)
    {
        await using var silo = Start();
        var random = new Random(seed);
        silo.Engine.Script = _ => [.. silo.Tokenizer.EncodePlain(RandomText(random), false), silo.Eos];
        List<ConversationItem> history = [];
        for (var i = 0; i < 8; i++)
        {
            history.Add(MessageItem.Of(Role.User, RandomText(random)));
            var reply = await silo.SayAsync(Turn($"t{i}", history, HistoryMode.Whole));
            Assert.Equal(await silo.Cluster.TokenizeChatAsync(TinyModel.Name, history, Stop), silo.LastPrompt);
            history.Add(MessageItem.Of(Role.Assistant, reply));
        }
    }

    [Fact]
    public async Task AControlTokenThatTheModelWroteIsNotTakenForText()
    {
        await using var silo = Start();
        var start = silo.Tokenizer.IdOf("<|im_start|>")!.Value;
        var (hello, world) = (silo.Tokenizer.EncodePlain("hello", false), silo.Tokenizer.EncodePlain("world", false));
        silo.Engine.Script = _ => [.. hello, start, .. world, silo.Eos];
        Assert.Equal("helloworld", await silo.SayAsync(Turn("t1", "hi")));
        await silo.SayAsync(Turn("t2", "more"));
        var plain = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nhelloworld<|im_end|>\n"
            + "<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n";
        Assert.Equal(silo.Tokenizer.Encode(plain, false), silo.LastPrompt);
    }

    static string RandomText(Random random)
    {
        string[] words = ["hello", " world", " the", " user", "ing", " é", " \U0001F525", "<|im_end|>", "\n", " a", "x"];
        return string.Concat(Enumerable.Range(0, random.Next(1, 8)).Select(_ => words[random.Next(words.Length)])) + "!";
    }

    /// <summary>A tokenization that the tokenizer would not choose: the text in pieces of one to three characters.</summary>
    static List<int> Scattered(Silo silo, string text, Random? random = null)
    {
        var tokens = new List<int>();
        var piece = "";
        foreach (var rune in text.EnumerateRunes())
        {
            piece += rune;
            if (random is not null && random.Next(3) > 0 && piece.Length < 3)
                continue;
            tokens.AddRange(silo.Tokenizer.EncodePlain(piece, false));
            piece = "";
        }
        return [.. tokens, .. silo.Tokenizer.EncodePlain(piece, false)];
    }
}
