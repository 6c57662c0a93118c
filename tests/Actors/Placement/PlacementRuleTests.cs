using Hearth.Actors.Membership;
using Hearth.Actors.Placement;
using Hearth.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Hearth.Actors.Tests.Placement;

public sealed class PlacementRuleTests
{
    const ulong Prefix = 77;

    readonly Dictionary<string, SiloLoad> _loads = [];
    readonly Random _random = new(1);

    [Fact]
    public void NeverChoosesWhoCannotOrMustNotServe()
    {
        var idle = new SiloLoad { Models = ["m"], BlocksTotal = 100, Prefixes = [Prefix] };
        var view = View(
            Add("joining", SiloStatus.Joining, idle), Add("draining", SiloStatus.Draining, idle), Add("dead", SiloStatus.Dead, idle),
            Add("other", SiloStatus.Active, idle with { Models = ["x"] }), Add("quiet", SiloStatus.Active, new SiloLoad()),
            Add("refused", SiloStatus.Active, idle), Add("busy", SiloStatus.Active, idle with { Running = 500, Prefixes = [] }));
        for (var i = 0; i < 200; i++)
            Assert.Equal("busy/1", Choose(view, Prefix, "refused/1")?.Id);
        Assert.Null(Choose(view, Prefix, "refused/1", "busy/1"));
        Assert.Null(PlacementRule.Choose(view, Load, "unknown", 0, [], _random));
    }

    [Fact]
    public void TheSameRandomGivesTheSameChoice()
    {
        var view = Even(8);
        var first = Enumerable.Range(0, 50).Select(_ => Choose(view, 0)!.Id).ToList();
        var random = new Random(1);
        Assert.Equal(first, Enumerable.Range(0, 50).Select(_ => PlacementRule.Choose(view, Load, "m", 0, [], random)!.Id));
    }

    [Fact]
    public void SpreadsEvenlyWhenLoadsAreFresh()
    {
        var view = Even(10);
        for (var i = 0; i < 2000; i++)
        {
            var chosen = Choose(view, 0)!.Id;
            _loads[chosen] = _loads[chosen] with { Running = _loads[chosen].Running + 1 };
        }
        // Two choices: the fullest is a few above the mean, not a share of it.
        Assert.InRange(_loads.Values.Max(l => l.Running), 200, 206);
        Assert.InRange(_loads.Values.Min(l => l.Running), 192, 200);
    }

    [Fact]
    public void PrefersWhoHasThePrefixUnlessItIsClearlyBusier()
    {
        var view = Even(10);
        _loads["s3/1"] = _loads["s3/1"] with { Prefixes = [1, Prefix], Running = 2 };
        for (var i = 0; i < 100; i++)
            Assert.Equal("s3/1", Choose(view, Prefix)!.Id);
        _loads["s3/1"] = _loads["s3/1"] with { Waiting = 3 };
        for (var i = 0; i < 100; i++)
            Assert.NotEqual("s3/1", Choose(view, Prefix)!.Id);
    }

    [Fact]
    public void APrefixThatAllHaveDrawsNoCrowd()
    {
        var view = Even(10);
        foreach (var id in _loads.Keys)
            _loads[id] = _loads[id] with { Prefixes = [Prefix] };
        _loads["s0/1"] = _loads["s0/1"] with { Activations = 0 };
        foreach (var id in _loads.Keys.Where(id => id != "s0/1"))
            _loads[id] = _loads[id] with { Activations = 50 };
        var best = Enumerable.Range(0, 1000).Count(_ => Choose(view, Prefix)!.Id == "s0/1");
        // Drawn twice two times of ten: a third of all, not all.
        Assert.InRange(best, 250, 450);
    }

    [Fact]
    public async Task ABurstBetweenTwoBeatsIsSpreadThoughTheLoadsAreStale()
    {
        var time = new VirtualTime();
        var store = new MemoryStore(time);
        var stop = TestContext.Current.CancellationToken;
        for (var i = 0; i < 5; i++)
        {
            await store.Membership.JoinAsync(new SiloEntry($"s{i}/1", "h:1", SiloStatus.Joining, ""), stop);
            await store.Membership.SetStatusAsync($"s{i}/1", SiloStatus.Active, stop);
            var load = new SiloLoad { Models = ["m"], BlocksTotal = 100, Running = i == 0 ? 0 : 10, Prefixes = i == 1 ? [Prefix] : [] };
            await store.Membership.BeatAsync($"s{i}/1",
                System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(load, PlacementJson.Default.SiloLoad), stop);
        }
        await using var watcher = new MembershipWatcher(store.Membership, new MembershipOptions(), time, NullLogger.Instance);
        await watcher.StartAsync(stop);
        var placer = new Placer(watcher, _random, time);
        var placed = Enumerable.Range(0, 110).GroupBy(i => placer.Place("m", i % 2 == 0 ? Prefix : 0, [])!.Id)
            .ToDictionary(g => g.Key, g => g.Count());
        // 40 run already and 110 come: 30 each would be even.
        Assert.InRange(placed["s0/1"], 24, 36);
        Assert.All(["s1/1", "s2/1", "s3/1", "s4/1"], id => Assert.InRange(placed[id], 14, 27));
    }

    SiloEntry? Choose(MembershipView view, ulong prefix, params string[] except) =>
        PlacementRule.Choose(view, Load, "m", prefix, except, _random);

    SiloLoad Load(string silo) => _loads[silo];

    MembershipView Even(int count) => View([.. Enumerable.Range(0, count)
        .Select(i => Add($"s{i}", SiloStatus.Active, new SiloLoad { Models = ["m"], BlocksTotal = 1000 }))]);

    SiloEntry Add(string name, SiloStatus status, SiloLoad load)
    {
        var silo = new SiloEntry($"{name}/1", "h:1", status, "");
        _loads[silo.Id] = load;
        return silo;
    }

    static MembershipView View(params SiloEntry[] silos) => new("i", 1, silos);
}
