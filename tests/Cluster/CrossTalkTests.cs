using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Cluster.Tests;

/// <summary>INV-21: what one conversation holds never shows in another, wherever caches go meanwhile.</summary>
public sealed class CrossTalkTests(SharedCluster cluster) : SharedClusterTest(cluster)
{
    const int Rounds = 3;
    static readonly int s_conversations = LongForm.Runs ? 64 : 32;

    [Fact]
    public async Task EachConversationRepliesAmongManyAsItDoesAlone()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 2);
        var seed = int.Parse(Environment.GetEnvironmentVariable("HEARTH_SEED") ?? "21", System.Globalization.CultureInfo.InvariantCulture);
        var secrets = Secrets(new Random(seed));
        var alone = new List<string[]>();
        for (var i = 0; i < s_conversations; i++)
            alone.Add(await SpeakAsync(rig, Cluster.Conversation("alone"), secrets[i], null));
        var crowd = secrets.Select(_ => Cluster.Conversation("crowd")).ToList();
        var together = await Task.WhenAll(crowd.Select((conversation, i) =>
            SpeakAsync(rig, conversation, secrets[i], new Random(seed + 1 + i))));
        for (var i = 0; i < s_conversations; i++)
        {
            Assert.Equal(alone[i], together[i]);
            var said = string.Concat(together[i]);
            Assert.All(secrets.Where(s => s != secrets[i]), s => Assert.DoesNotContain(s, said, StringComparison.OrdinalIgnoreCase));
        }
        // Without this the search above would find nothing whatever is said.
        var repeated = Enumerable.Range(0, s_conversations)
            .Count(i => string.Concat(together[i]).Contains(secrets[i], StringComparison.OrdinalIgnoreCase));
        TestContext.Current.TestOutputHelper!.WriteLine($"seed {seed}: {repeated} of {s_conversations} said their own secret");
    }

    /// <summary>Some turns; with a source of chance, what may happen to a conversation happens between and within them.</summary>
    async Task<string[]> SpeakAsync(ClusterRig rig, string conversation, string secret, Random? chance)
    {
        var said = new List<string>();
        for (var round = 0; round < Rounds; round++)
        {
            var body = round == 0
                ? Turns.Brief(conversation, $"Hello! My name is {secret}.")
                : Turns.Brief(conversation, "What is my name?", tokens: 32);
            var turn = rig.Client(round % 2).ChatAsync(body, Cancellation);
            if (chance?.Next(2) == 0)
                await DisturbAsync(rig, conversation, "migrate");
            said.Add((await turn).Text);
            switch (chance?.Next(4))
            {
                case 0:
                    await DisturbAsync(rig, conversation, "spill");
                    break;
                case 1:
                    await DisturbAsync(rig, conversation, "migrate");
                    break;
                case 2:
                    // A neighbour that goes away in the middle of a reply that no other conversation is to see.
                    using (var broken = await rig.Client(0).StreamAsync(
                        Turns.Seeded(Cluster.Conversation("broken"), 400, round), Cancellation))
                    {
                        await broken.ReadAsync(1 + chance.Next(8), Cancellation);
                    }
                    break;
            }
        }
        return [.. said];
    }

    /// <summary>It may be refused, as for a conversation that has just gone elsewhere: what counts are the replies.</summary>
    static async Task DisturbAsync(ClusterRig rig, string conversation, string how)
    {
        var (status, body) = await rig.Client(1).SendAsync(
            HttpMethod.Post, $"admin/conversations/{conversation}/{how}", [], Cancellation);
        Assert.True(status is 200 or 404 or 409 or 503, $"{how}: {status} {body}");
    }

    static List<string> Secrets(Random chance) =>
        [.. Enumerable.Range(0, s_conversations).Select(i =>
            $"{(char)('A' + i % 26)}{Syllable(chance)}{Syllable(chance)}{(char)('a' + i / 26)}").Distinct()];

    static string Syllable(Random chance) => $"{"bdfgklmnprstvz"[chance.Next(14)]}{"aeiou"[chance.Next(5)]}";
}
