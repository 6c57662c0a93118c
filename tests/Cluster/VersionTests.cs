using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Cluster.Tests;

/// <summary>INV-38: what another version left behind is refused or left alone, never guessed at.</summary>
public sealed class VersionTests(SharedCluster cluster) : SharedClusterTest(cluster)
{
    [Fact]
    public async Task ACacheOfAnotherVersionIsComputedAgain()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 1);
        var (touched, untouched) = (Cluster.Conversation("foreign"), Cluster.Conversation("own"));
        foreach (var conversation in new[] { touched, untouched })
        {
            await rig.Client().ChatAsync(Turns.Brief(conversation, Turns.Opening), Cancellation);
            var (status, body) = await rig.Client().SendAsync(
                HttpMethod.Post, $"admin/conversations/{conversation}/spill", [], Cancellation);
            Assert.True(status == 200, body);
        }
        var key = $"hearth:{{local/{touched}}}:m";
        var blobs = JsonNode.Parse(rig.Redis.Ask("HGET", key, "data"))!;
        var manifest = JsonNode.Parse(Convert.FromBase64String(blobs["Data"]!.GetValue<string>()))!;
        var version = manifest.AsObject().Single(f => f.Key.Equals("version", StringComparison.OrdinalIgnoreCase)).Key;
        manifest[version] = 99;
        blobs["Data"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(manifest.ToJsonString()));
        rig.Redis.Ask("HSET", key, "data", blobs.ToJsonString());
        foreach (var silo in rig.Silos)
            silo.Kill();
        await rig.FillAsync(2, 1, Cancellation);
        var again = await rig.Client().ChatAsync(Turns.Brief(touched, "What is my name?"), Cancellation);
        var restored = await rig.Client().ChatAsync(Turns.Brief(untouched, "What is my name?"), Cancellation);
        Assert.Equal(("recomputed", 0, restored.Text), (again.Cache.Split([',', ';', ' '])[0], again.CachedTokens, again.Text));
        Assert.True(restored.CachedTokens > 0, $"{restored}");
    }

    [Fact]
    public async Task ASiloThatDescribesItselfInUnknownWordsHarmsNobody()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 1);
        var members = "hearth:{members}:table";
        var before = await rig.SilosSeenAsync(Cancellation);
        rig.Redis.Ask("EVAL", "redis.call('HSET', KEYS[1], 'later/0', '1 9999 127.0.0.1:1 <later version=\"9\"/>') "
            + "return redis.call('HINCRBY', KEYS[1], '', 1)", "1", members);
        await rig.UntilSilosAsync(silos => silos.Any(s => s.Name == "later"), Cancellation);
        var late = await rig.AddGatewayAsync(Cancellation);
        foreach (var gateway in new[] { rig.Client(0), rig.Client(late) })
        {
            var reply = await gateway.ChatAsync(Turns.Brief(Cluster.Conversation("beside-later"), Turns.Opening), Cancellation);
            Assert.Contains(before, s => s.Id == reply.Silo);
        }
        // It never beats: after a lease it is dead, as anybody would be.
        await rig.UntilSilosAsync(silos => silos.All(s => s.Name != "later"), Cancellation);
    }

    /// <summary>It beats, it serves, and its handshake is of another time.</summary>
    [Fact]
    public async Task ASiloOfAnotherProtocolIsGoneRoundAndSaidSoWhereOnlyItCouldHelp()
    {
        var rig = await Cluster.WithAsync(silos: 2, gateways: 1);
        using var later = new TcpListener(IPAddress.Loopback, 0);
        later.Start();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var answered = new TaskCompletionSource();
        var answering = AnswerAsync();
        var beating = BeatAsync();
        try
        {
            await rig.UntilSilosAsync(silos => silos.Any(s => s.Id == "later/1" && s.Status == "active"), Cancellation);
            for (var i = 0; i < 10; i++)
            {
                var reply = await rig.Client().ChatAsync(
                    Turns.Brief(Cluster.Conversation("beside-other-protocol"), Turns.Opening, 2), Cancellation);
                Assert.NotEqual("later/1", reply.Silo);
            }
            var only = Turns.Brief(Cluster.Conversation("for-the-later"), Turns.Opening, 2);
            only["model"] = "later";
            var (status, body, _, _) = await rig.Client().TryChatAsync(only, Cancellation);
            Assert.True(status >= 500, body);
            Assert.True(answered.Task.IsCompletedSuccessfully, body);
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(answering, beating).ConfigureAwait(
                ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
        await rig.UntilSilosAsync(silos => silos.All(s => s.Name != "later"), Cancellation);

        static JsonArray List(JsonNode of, string name) =>
            of.AsObject().Single(f => f.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Value!.AsArray();

        async Task AnswerAsync()
        {
            while (true)
            {
                using var socket = await later.AcceptSocketAsync(stop.Token);
                await socket.SendAsync(Encoding.ASCII.GetBytes("HRTH\u0007\0".PadRight(72, '\0')), stop.Token);
                await socket.ReceiveAsync(new byte[512], stop.Token);
                answered.TrySetResult();
            }
        }

        async Task BeatAsync()
        {
            var like = rig.Redis.Ask("HKEYS", "hearth:{members}:beats").Split('\n')
                .First(s => s.StartsWith("silo-", StringComparison.Ordinal));
            var row = rig.Redis.Ask("HGET", "hearth:{members}:table", like).Split(' ', 4);
            var load = JsonNode.Parse(rig.Redis.Ask("HGET", "hearth:{members}:loads", like))!;
            List(load, "models").Add("later");
            var description = JsonNode.Parse(row[3])!;
            var card = List(description, "models")[0]!.DeepClone().AsObject();
            card[card.Single(f => f.Key.Equals("name", StringComparison.OrdinalIgnoreCase)).Key] = "later";
            List(description, "models").Add(card);
            rig.Redis.Ask("HSET", "hearth:{members}:loads", "later/1", load.ToJsonString());
            rig.Redis.Ask("HSET", "hearth:{members}:table", "later/1",
                string.Create(CultureInfo.InvariantCulture, $"1 9999 {later.LocalEndpoint} {description.ToJsonString()}"));
            rig.Redis.Ask("HINCRBY", "hearth:{members}:table", "", "1");
            while (true)
            {
                rig.Redis.Ask("HINCRBY", "hearth:{members}:beats", "later/1", "1");
                await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, stop.Token);
            }
        }
    }
}
