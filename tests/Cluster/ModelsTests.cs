using System.Text.Json.Nodes;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Cluster.Tests;

/// <summary>Silos that serve different models.</summary>
public sealed class ModelsTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public Task AConversationGoesToWhereTheModelIsThatItsNextTurnAsksFor() => SharedCluster.OnItsOwnAsync(
        new RigOptions { Silos = 1, Gateways = 1 }, async rig =>
        {
            var model = Path.Combine(HearthNode.Root, "models", "demo");
            await rig.AddSiloAsync(Cancellation, "other-0", "--model", $"{model}=other");
            await rig.UntilSilosAsync(silos => silos.Count(s => s.Status == "active") == 2, Cancellation);
            var before = await SayAsync(rig, "demo");
            var there = await SayAsync(rig, "other");
            var back = await SayAsync(rig, "demo");
            Assert.StartsWith("silo-", before.Silo, StringComparison.Ordinal);
            Assert.StartsWith("other-", there.Silo, StringComparison.Ordinal);
            Assert.Equal(before.Silo, back.Silo);
            // Each has the whole conversation before it; the first silo still has its part in memory.
            Assert.True(there.PromptTokens > before.PromptTokens && back.PromptTokens > there.PromptTokens, $"{there} {back}");
            Assert.True(back.CachedTokens >= before.PromptTokens, $"{back}");

            // While a reply runs, the turn for the other model waits for it.
            using var stream = await rig.Client().StreamAsync(Turns.Seeded("c", 200), Cancellation);
            var reading = stream.ReadToEndAsync(Cancellation);
            var after = await SayAsync(rig, "other");
            await reading;
            Assert.True(stream.IsDone, stream.Error);
            Assert.StartsWith("other-", after.Silo, StringComparison.Ordinal);
            Assert.True(after.PromptTokens > back.PromptTokens + 200, $"{after}");

            var unknown = Turns.Brief("c", "And now?");
            unknown["model"] = "none";
            Assert.Equal(404, (await rig.Client().TryChatAsync(unknown, Cancellation)).Status);
            Assert.StartsWith("other-", (await SayAsync(rig, "other")).Silo, StringComparison.Ordinal);
        });

    static Task<Reply> SayAsync(ClusterRig rig, string model)
    {
        JsonObject turn = Turns.Brief("c", Turns.Opening, 8);
        turn["model"] = model;
        return rig.Client().ChatAsync(turn, Cancellation);
    }
}
