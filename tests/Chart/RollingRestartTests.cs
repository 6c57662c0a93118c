using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Hearth.Chart.Tests.Kubelet;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Chart.Tests;

/// <summary>`kubectl rollout restart` of everything, as Kubernetes does it with the rendered objects: preStop, SIGTERM, the
/// grace and SIGKILL at its end; probes at their periods; endpoints that go a while after the order. Nobody who chats may
/// notice.</summary>
public sealed class RollingRestartTests
{
    const int Chats = 4;
    static readonly TimeSpan EndpointLag = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task ARollingRestartOfTheRenderedReleaseFailsNoTurn()
    {
        var cancellation = TestContext.Current.CancellationToken;
        Assert.SkipWhen(Tools.Find("redis-server") is null, "redis-server is not installed.");
        var rendered = await ChartCase.Of("small-restart").RenderAsync();
        await using var world = new World(rendered);
        await world.InstallAsync(cancellation);
        using var client = new GatewayClient(world.Gateways.Url.ToString());
        client.Http.DefaultRequestHeaders.Authorization = new("Bearer", World.ApiKey);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var chats = Enumerable.Range(0, Chats).Select(i => new Chat(client, i)).ToList();
        var talking = chats.Select(c => c.TalkAsync(stop.Token)).ToList();
        await chats[0].UntilAsync(2, cancellation);

        var (clock, ending) = (Stopwatch.StartNew(), new Ending(EndpointLag));
        await world.RollStatefulSetAsync(world.Get("StatefulSet/hearth-silo"), ending, cancellation);
        await world.RollDeploymentAsync(world.Get("Deployment/hearth-gateway"), ending, cancellation);
        var took = clock.Elapsed;
        foreach (var chat in chats)
            await chat.UntilAsync(chat.Turns + 1, cancellation);
        await stop.CancelAsync();
        await Task.WhenAll(talking);

        var summary = Summary(took, chats, ending);
        TestContext.Current.SendDiagnosticMessage(summary);
        Directory.CreateDirectory(Tools.Out);
        await File.WriteAllTextAsync(Path.Combine(Tools.Out, "rolling-restart.txt"), summary, cancellation);
        Assert.Empty(chats.SelectMany(c => c.Failures));
        Assert.All(ending.Ends, end => Assert.True(end is { Killed: false, Code: 0 }, $"{end}"));
        Assert.Equal(5, ending.Ends.Count);
    }

    static string Summary(TimeSpan took, List<Chat> chats, Ending ending)
    {
        var invariant = CultureInfo.InvariantCulture;
        var text = new StringBuilder();
        text.Append(invariant, $"{took.TotalSeconds:0.0} s, {chats.Sum(c => c.Turns)} turns of {chats.Count} chats, ");
        text.Append(invariant, $"{chats.Sum(c => c.Failures.Count)} failed, ");
        text.Append(invariant, $"longest {chats.Max(c => c.Longest).TotalSeconds:0.00} s, ");
        text.Append(invariant, $"tokens cached {chats.Sum(c => c.Cached)} of {chats.Sum(c => c.History)}\n");
        foreach (var end in ending.Ends)
        {
            text.Append(invariant, $"{end.Name}: preStop {end.PreStop.TotalSeconds:0.0} s, ");
            text.Append(invariant, $"ended after {end.Took.TotalSeconds:0.0} of {end.Grace.TotalSeconds:0} s with {end.Code}\n");
        }
        return text.ToString();
    }

    /// <summary>A conversation that goes on, in streams and in whole replies by turns, and never sends anything twice.</summary>
    sealed class Chat(GatewayClient client, int number)
    {
        int _turns;
        long _known;

        public int Turns => Volatile.Read(ref _turns);
        public List<string> Failures { get; } = [];
        public TimeSpan Longest { get; private set; }
        public long Cached { get; private set; }
        public long History { get; private set; }

        public async Task TalkAsync(CancellationToken stop)
        {
            while (!stop.IsCancellationRequested)
            {
                var clock = Stopwatch.StartNew();
                try
                {
                    await TurnAsync();
                }
                catch (Exception e) when (e is HttpRequestException or IOException or RefusedException)
                {
                    Failures.Add($"turn {Turns}: {e.Message}");
                }
                Longest = clock.Elapsed > Longest ? clock.Elapsed : Longest;
                Interlocked.Increment(ref _turns);
            }
        }

        /// <summary>A turn that has begun is not given up.</summary>
        async Task TurnAsync()
        {
            var body = Ask($"Please count to {3 + Turns % 5}.");
            if (number % 2 == 0)
            {
                var reply = await client.ChatAsync(body, CancellationToken.None);
                Cached += reply.CachedTokens;
                History += _known;
                _known = reply.PromptTokens + reply.ReplyTokens - 1;
                return;
            }
            using var stream = await client.StreamAsync(body, CancellationToken.None);
            await stream.ReadToEndAsync(CancellationToken.None);
            if (!stream.IsDone)
                throw new IOException("the stream broke off");
        }

        /// <summary>Short enough for the demo model: a new conversation after some turns.</summary>
        JsonObject Ask(string text)
        {
            if (Turns % 20 == 0)
                _known = 0;
            return Cluster.Tests.Rig.Turns.Brief($"roll-{number}-{Turns / 20}", text);
        }

        public async Task UntilAsync(int turns, CancellationToken cancellationToken)
        {
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(30));
            while (Turns < turns)
                await timer.WaitForNextTickAsync(cancellationToken);
        }
    }
}
