using System.Text.Json;
using Hearth.Actors;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Contracts;
using Hearth.Gateway.Cluster;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Hearth.Gateway.Tests.Cluster;

/// <summary>Gateways over silos, directory, membership and network that a test plays with.</summary>
sealed class ClusterRig : IAsyncDisposable
{
    readonly List<(RoutedCluster Gateway, MembershipWatcher Watcher)> _gateways = [];

    ClusterRig()
    {
    }

    public FakeDirectory Directory { get; } = new();
    public FakeMembership Membership { get; } = new();
    public FakePeers Peers { get; } = new();
    public Dictionary<string, FakeSilo> Silos { get; } = [];
    public RoutedCluster Gateway => _gateways[0].Gateway;
    public RoutedCluster Other => _gateways[1].Gateway;

    public static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static async Task<ClusterRig> StartAsync(string silos = "AB", int gateways = 1, RoutingOptions? options = null,
        IGrainStore? store = null, TimeProvider? time = null)
    {
        var rig = new ClusterRig();
        foreach (var name in silos)
        {
            rig.Add(name.ToString());
        }
        for (var i = 0; i < gateways; i++)
        {
            var times = new MembershipOptions { Watch = TimeSpan.FromMilliseconds(20) };
            var watcher = new MembershipWatcher(rig.Membership, times, TimeProvider.System, NullLogger.Instance);
            await watcher.StartAsync(Stop);
            rig._gateways.Add((new RoutedCluster(store ?? rig.Directory, watcher, rig.Peers, options ?? new RoutingOptions(),
                new Random(i + 1), time ?? TimeProvider.System, NullLogger.Instance), watcher));
        }
        return rig;
    }

    public FakeSilo Add(string name)
    {
        var silo = new FakeSilo(IdOf(name), Directory, id => Membership.IsGone(id), Peers);
        Silos[name] = silo;
        Membership.Add(silo.Id);
        return silo;
    }

    public static string IdOf(string name) => name + "/1";

    public static ChatTurn Turn(string conversation = "c", string id = "turn_1") => new()
    {
        Id = new TurnId(id),
        Tenant = TenantId.Local,
        Conversation = new ConversationId(conversation),
        Model = ScriptedCluster.Model,
        History = HistoryMode.Append,
        Items = [MessageItem.Of(Role.User, "Hi")],
        BodyHash = "h",
    };

    public static GrainId Grain(string conversation = "c") => new(TenantId.Local.Value, conversation);

    public void Own(string conversation, string silo)
    {
        Directory.Own(Grain(conversation), IdOf(silo));
        Directory.Summaries[Grain(conversation)] = new GrainSummary(
            Grain(conversation), 1, new GrainOwner(IdOf(silo), 1, "a"), 2, """{"model":"demo","turns":3,"fingerprint":"f"}"""u8.ToArray(), 9, 7);
    }

    /// <summary>As the owner does before it runs a turn.</summary>
    public void Record(ChatTurn turn) => Directory.Operations[(Grain(turn.Conversation.Value), turn.Id.Value)] = new StoredOperation(
        turn.Id.Value, OperationStatus.Pending, turn.BodyHash, 1,
        JsonSerializer.SerializeToUtf8Bytes(turn, ContractsJson.Default.ChatTurn), null);

    /// <summary>Until the gateways have read what silos tell now.</summary>
    public async Task LoadsAreKnownAsync()
    {
        foreach (var (_, watcher) in _gateways)
        {
            await watcher.RefreshAsync(Stop);
        }
    }

    public void Die(string silo) => Membership.Set(IdOf(silo), SiloStatus.Dead);

    public async Task<List<TurnEvent>> RunAsync(ChatTurn turn, RoutedCluster? gateway = null) =>
        await CollectAsync((gateway ?? Gateway).RunTurnAsync(turn, Stop));

    /// <summary>Runs a turn whose owner stalls after so many events, until its client has seen these.</summary>
    /// <returns>The turn, still running.</returns>
    public async Task<Task<List<TurnEvent>>> StallAsync(string silo, int shown)
    {
        var seen = new TaskCompletionSource();
        if (shown == 0)
            seen.SetResult();
        Silos[silo].StallAfter = shown;
        var turn = CollectAsync(Gateway.RunTurnAsync(Turn(), Stop), count => _ = count == shown && seen.TrySetResult());
        await Silos[silo].StalledAsync(Stop);
        await seen.Task.WaitAsync(Stop);
        return turn;
    }

    /// <param name="seen">Told how many events there are, at each.</param>
    public static async Task<List<TurnEvent>> CollectAsync(IAsyncEnumerable<TurnEvent> events, Action<int>? seen = null)
    {
        var all = new List<TurnEvent>();
        await foreach (var happened in events)
        {
            all.Add(happened);
            seen?.Invoke(all.Count);
        }
        return all;
    }

    /// <summary>Every event once, in order, with the first ones by one silo and the rest by whichever.</summary>
    public static void AssertWhole(IReadOnlyList<TurnEvent> events, int from = 0)
    {
        Assert.Equal(Enumerable.Range(from, FakeSilo.Events - from), events.Select(e => e.Sequence));
        Assert.Equal(string.Concat(Enumerable.Range(from, FakeSilo.Events - from).Select(i => FakeSilo.EventOf(i, ""))
            .OfType<TurnDelta>().Select(d => d.Text)), string.Concat(events.OfType<TurnDelta>().Select(d => d.Text)));
        Assert.IsType<TurnFinished>(events[^1]);
    }

    public static TurnFailure AssertFailed(IReadOnlyList<TurnEvent> events, TurnError error)
    {
        var failed = Assert.IsType<TurnFailed>(events[^1]);
        Assert.Equal(error, failed.Failure.Error);
        Assert.Equal(Enumerable.Range(0, events.Count), events.Select(e => e.Sequence));
        return failed.Failure;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (gateway, watcher) in _gateways)
        {
            await gateway.DisposeAsync();
            await watcher.DisposeAsync();
        }
    }
}
