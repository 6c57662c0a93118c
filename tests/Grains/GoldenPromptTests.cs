using System.Text.Json;
using Hearth.Contracts;
using Hearth.Grains.Prompts;
using Hearth.Grains.Replies;
using Hearth.Text;
using Xunit;

namespace Hearth.Grains.Tests;

/// <summary>Exact prompts with the tokenizers and templates of real model families.</summary>
public sealed class GoldenPromptTests
{
    static readonly string[] Questions =
        ["Hello there", "What is it?\n", "  and é \U0001F525 now", "<|eot_id|></s><end_of_turn>"];
    static readonly string[] Answers = ["Sure, I can help.", "It is a word", "Yes!\n\nOr no?", "fine"];

    [Theory]
    [InlineData("llama3_chat", false), InlineData("llama3_chat", true)]
    [InlineData("mistral_chat", false), InlineData("mistral_chat", true)]
    [InlineData("gemma_chat", false), InlineData("gemma_chat", true)]
    [InlineData("qwen25_chat", false), InlineData("qwen25_chat", true)]
    public void ARepliesTokensStayAndTheRestIsThePlainEncoding(string name, bool scattered)
    {
        var model = Load(name);
        List<ConversationItem> items = [];
        List<Anchor> anchors = [];
        int[] held = [];
        foreach (var (question, answer) in Questions.Zip(Answers))
        {
            items.Add(MessageItem.Of(Role.User, question));
            var segments = Render(model, items);
            var prompt = ExactPrompt.Build(model.Tokenizer, segments, held, anchors);
            Assert.Equal(held, prompt[..held.Length]);
            if (!scattered)
                Assert.Equal(model.Tokenizer.Encode(segments), prompt);

            // What the model would write for this answer: the plain encoding up to the token that ends it.
            var plain = model.Tokenizer.Encode(segments);
            var whole = model.Tokenizer.Encode(
                Render(model, [.. items, MessageItem.Of(Role.Assistant, answer), MessageItem.Of(Role.User, "x")]));
            Assert.Equal(plain, whole[..plain.Length]);
            var reply = whole.Skip(plain.Length).TakeWhile(t => !model.Card.EosTokens.Contains(t)).ToList();
            var end = whole[plain.Length + reply.Count];
            if (scattered)
                reply = [.. reply.SelectMany(t => Scatter(model.Tokenizer, t))];
            var decoder = new ReplyDecoder(model.Tokenizer, new GenerationOptions(), 0);
            foreach (var token in reply)
                decoder.Push(new TokenChunk { Kind = TokenChunkKind.Token, Token = token });
            decoder.Flush();
            Assert.Equal(answer, decoder.Text);
            items.Add(MessageItem.Of(Role.Assistant, decoder.Text));
            anchors.AddRange(ExactPrompt.AnchorsAfter(model.Tokenizer, segments, prompt, decoder.Text, reply, end));
            held = [.. prompt, .. reply, end];
        }
    }

    static IReadOnlyList<TextSegment> Render(ServedModel model, IReadOnlyList<ConversationItem> items) =>
        PromptRenderer.Render(model, items, null, default, TestContext.Current.CancellationToken);

    /// <summary>The token in pieces of one character, where the vocabulary has them all.</summary>
    static IEnumerable<int> Scatter(Tokenizer tokenizer, int token)
    {
        var pieces = tokenizer.TokenOf(token)!.Select(c => tokenizer.IdOf($"{c}")).ToList();
        return !tokenizer.TokenOf(token)!.StartsWith("<0x", StringComparison.Ordinal) && pieces.All(p => p is not null)
            ? pieces.Select(p => p!.Value)
            : [token];
    }

    static ServedModel Load(string name)
    {
        var root = Environment.GetEnvironmentVariable("HEARTH_GOLDEN") ?? Repository("tests/golden");
        var directory = Path.Combine(root, "e2e", name);
        Assert.SkipUnless(Directory.Exists(directory), $"no golden data at {directory}");
        using var generation = JsonDocument.Parse(File.ReadAllText(Path.Combine(directory, "generation_config.json")));
        var eos = generation.RootElement.GetProperty("eos_token_id");
        return ServedModel.Load(new FakeEngine(new ModelCard
        {
            Name = name,
            Directory = directory,
            Family = "llama",
            VocabularySize = 1,
            ContextLength = 1,
            Parameters = 1,
            EosTokens = eos.ValueKind == JsonValueKind.Array
                ? [.. eos.EnumerateArray().Select(e => e.GetInt32())]
                : [eos.GetInt32()],
            Fingerprint = "",
            Created = default,
        }));
    }

    static string Repository(string path)
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Cluster.sln")))
            directory = directory.Parent;
        return Path.Combine(directory?.FullName ?? "", path);
    }
}
