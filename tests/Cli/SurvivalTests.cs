using Xunit;

namespace Hearth.Cli.Tests;

/// <summary>What the product promises, shown with real processes: a conversation survives eviction, kill -9 and restart, and a
/// seeded reply is the same wherever its cache was.</summary>
public sealed class SurvivalTests : IDisposable
{
    readonly ScratchFolder _data = new();

    public void Dispose() => _data.Dispose();

    [Fact]
    public async Task AConversationGoesOnAfterKillAndRestart()
    {
        await using (var first = await HearthProcess.ServeAsync(_data.Path))
        {
            var hello = await first.ChatAsync(Turn("ada", "Hello! My name is Ada."));
            Assert.Equal("new", hello.Cache);
            var warm = await first.ChatAsync(Turn("ada", "What is two plus two?"));
            Assert.Equal("hit", warm.Cache);
            Assert.True(warm.CachedTokens >= hello.PromptTokens, $"{warm} after {hello}");
            await first.UntilSpilledAsync("ada", warm.PromptTokens);
            await first.KillAsync();
        }
        await using var second = await HearthProcess.ServeAsync(_data.Path);
        var resumed = await second.ChatAsync(Turn("ada", "What is my name?"));
        Assert.Equal("restored", resumed.Cache);
        Assert.True(resumed.CachedTokens > 0);
        Assert.Contains("Ada", resumed.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ASeededReplyIsTheSameAloneInABatchAfterEvictionAndAfterKill()
    {
        var expected = await AloneAsync();
        await using (var busy = await HearthProcess.ServeAsync(_data.Path))
        {
            var others = Enumerable.Range(0, 15).Select(i => busy.ChatAsync(Turn($"other-{i}", $"Please count to {i + 3}.")));
            var opening = busy.ChatAsync(Turn("seeded", Opening));
            await Task.WhenAll([.. others, opening]);
            others = [.. Enumerable.Range(0, 15).Select(i => busy.ChatAsync(Turn($"other-{i}", $"My number is {i}.")))];
            var inBatch = busy.ChatAsync(Question("seeded"));
            await Task.WhenAll([.. others, inBatch]);
            Assert.Equal(expected, (await inBatch).Text);

            await busy.ChatAsync(Turn("evicted", Opening));
            using var spill = await busy.Http.PostAsync("admin/conversations/evicted/spill", null, TestContext.Current.CancellationToken);
            Assert.True(spill.IsSuccessStatusCode);
            var evicted = await busy.ChatAsync(Question("evicted"));
            Assert.Equal((expected, "restored"), (evicted.Text, evicted.Cache));

            var killed = await busy.ChatAsync(Turn("killed", Opening));
            await busy.UntilSpilledAsync("killed", killed.PromptTokens);
            await busy.KillAsync();
        }
        await using var restarted = await HearthProcess.ServeAsync(_data.Path);
        var resumed = await restarted.ChatAsync(Question("killed"));
        Assert.Equal((expected, "restored"), (resumed.Text, resumed.Cache));
    }

    [Fact]
    public async Task MoreConversationsThanMemoryHoldsAllGoOn()
    {
        // About 2,000 tokens of blocks for 24 conversations.
        await using var server = await HearthProcess.ServeAsync(_data.Path, "--kv-memory", "6m", "--host-memory", "2m");
        var names = new[] { "Ada", "Bob", "Eve", "Max", "Tom", "Ann" };
        var chats = Enumerable.Range(0, 24).Select(i => (Id: $"many-{i}", Name: names[i % names.Length])).ToList();
        await Task.WhenAll(chats.Select(c => server.ChatAsync(Turn(c.Id, $"Hello! My name is {c.Name}."))));
        await Task.WhenAll(chats.Select(c => server.ChatAsync(Turn(c.Id, "What is two plus two?"))));
        var replies = await Task.WhenAll(chats.Select(c => server.ChatAsync(Turn(c.Id, "What is my name?"))));
        Assert.All(chats.Zip(replies), pair => Assert.Contains(pair.First.Name, pair.Second.Text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task ATurnSentAgainHasTheSameBodyEvenAfterKill()
    {
        string first, again;
        await using (var server = await HearthProcess.ServeAsync(_data.Path))
        {
            first = await server.KeyedAsync("key-1", Turn("keyed", "Hello! My name is Ada."));
            Assert.Equal(first, await server.KeyedAsync("key-1", Turn("keyed", "Hello! My name is Ada.")));
            await server.KillAsync();
        }
        await using (var server = await HearthProcess.ServeAsync(_data.Path))
            again = await server.KeyedAsync("key-1", Turn("keyed", "Hello! My name is Ada."));
        Assert.Equal(first, again);
    }

    [Fact]
    public async Task ASecondServerOnTheSameDataIsRefused()
    {
        await using var first = await HearthProcess.ServeAsync(_data.Path);
        var (exitCode, output) = await HearthProcess.RunAsync(["serve", "--urls", "http://127.0.0.1:0", "--data", _data.Path]);
        Assert.NotEqual(0, exitCode);
        Assert.Contains("in use by another process", output, StringComparison.Ordinal);
    }

    const string Opening = "Hello! My name is Zed and my favourite colour is green.";

    async Task<string> AloneAsync()
    {
        using var data = new ScratchFolder();
        await using var server = await HearthProcess.ServeAsync(data.Path);
        await server.ChatAsync(Turn("alone", Opening));
        return (await server.ChatAsync(Question("alone"))).Text;
    }

    // The salt keeps conversations from sharing their equal beginnings: what is tested is each one's own cache.
    static object Turn(string conversation, string text) => new
    {
        model = "demo",
        conversation,
        cache_salt = conversation,
        temperature = 0,
        max_tokens = 60,
        messages = new[] { new { role = "user", content = text } },
    };

    static object Question(string conversation) => new
    {
        model = "demo",
        conversation,
        cache_salt = conversation,
        temperature = 1.2,
        seed = 20260101,
        max_tokens = 60,
        ignore_eos = true,
        messages = new[] { new { role = "user", content = "Tell me about yourself." } },
    };
}
