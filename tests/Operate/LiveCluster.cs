using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Operate.Tests;

/// <summary>A cluster of processes on which everything happens that the dashboards show, scraped by a real Prometheus.</summary>
public sealed class LiveCluster : IAsyncDisposable
{
    ClusterRig? _rig;
    Prometheus? _prometheus;
    Task? _started;

    /// <summary>Alerts that fired while all was well.</summary>
    internal IReadOnlyList<string> FalseAlarms { get; private set; } = [];

    internal Prometheus Prometheus => _prometheus!;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    internal ClusterRig Rig => _rig!;

    /// <summary>The first test waits for all that happens; one that lacks a program is skipped.</summary>
    public Task StartedAsync()
    {
        Programs.Need("prometheus");
        return _started ??= StartAsync();
    }

    async Task StartAsync()
    {
        _rig = await ClusterRig.StartAsync(new RigOptions
        {
            Gateways = 2,
            SiloFlags = ["--threads", "1", "--kv-memory", "48m", "--host-memory", "16m", "--urls", "http://127.0.0.1:0"],
        }, Cancellation);
        _prometheus = await Prometheus.StartAsync(
        [
            .. Rig.Silos.Select(s => new Target("hearth-silo", s.Name, HearthNode.AddressIn(s.Ready.Result, "probes at")[7..])),
            .. Rig.Gateways.Select(g => new Target("hearth-gateway", g.Name, Rig.Client(g).Url.Authority)),
        ], Cancellation);
        await _prometheus.UntilScrapedAsync(Cancellation);
        // A rate needs two values: everything happens in two rounds, with scrapes between them.
        for (var round = 0; round < 2; round++)
        {
            await ChatAsync($"round-{round}");
            await MoveAsync($"moved-{round}");
            await _prometheus.UntilScrapedAsync(Cancellation);
        }
        FalseAlarms = await FiringAsync();
        await TakeOverAsync();
        await _prometheus.UntilScrapedAsync(Cancellation);
    }

    internal async Task<IReadOnlyList<string>> FiringAsync() =>
        [.. (await Prometheus.RulesAsync(Cancellation)).Where(r => r.State == "firing").Select(r => r.Name)];

    public async ValueTask DisposeAsync()
    {
        if (_prometheus is not null)
            await _prometheus.DisposeAsync();
        if (_rig is not null)
            await _rig.DisposeAsync();
    }

    /// <summary>Turns of all outcomes: new, hit, restored, replayed, resumed, cancelled, refused as invalid.</summary>
    async Task ChatAsync(string conversation)
    {
        await Rig.Client(0).ChatAsync(Turns.Brief(conversation, Turns.Opening), Cancellation);
        await Rig.Client(1).ChatAsync(Turns.Brief(conversation, "What is my name?"), Cancellation, $"{conversation}-key");
        await Rig.Client(0).ChatAsync(Turns.Brief(conversation, "What is my name?"), Cancellation, $"{conversation}-key");
        Assert.Equal(200, await PostAsync($"admin/conversations/{conversation}/spill", []));
        await Rig.Client(0).ChatAsync(Turns.Brief(conversation, "And my colour?"), Cancellation);
        await Rig.Client(0).TryChatAsync([], Cancellation);
        string last;
        LiveReply stream;
        using (stream = await Rig.Client(0).StreamAsync(Turns.Seeded(conversation, 200), Cancellation))
        {
            await stream.ReadAsync(5, Cancellation);
            last = stream.LastId;
        }
        using var rest = await Rig.Client(1).ResumeAsync(conversation, stream.Turn, last, Cancellation);
        await rest.ReadToEndAsync(Cancellation);
        using var cancelled = await Rig.Client(1).StreamAsync(Turns.Seeded(conversation, 1000, seed: 2), Cancellation);
        await cancelled.ReadAsync(3, Cancellation);
        await PostAsync($"v1/conversations/{conversation}/turns/{cancelled.Turn}/cancel", []);
    }

    /// <summary>Moves a conversation to the other silo between two turns, and back within one.</summary>
    async Task MoveAsync(string conversation)
    {
        await Rig.Client().ChatAsync(Turns.Brief(conversation, Turns.Opening), Cancellation);
        await MigrateAsync(conversation);
        using var stream = await Rig.Client().StreamAsync(Turns.Seeded(conversation, 600), Cancellation);
        await stream.ReadAsync(5, Cancellation);
        await MigrateAsync(conversation);
        await stream.ReadToEndAsync(Cancellation);
        Assert.True(stream.IsDone, stream.Error);
    }

    async Task MigrateAsync(string conversation)
    {
        var owner = await Rig.OwnerAsync(conversation, Cancellation);
        var other = Rig.Silos.First(s => s != owner);
        Assert.Equal(200, await PostAsync($"admin/conversations/{conversation}/migrate", new() { ["silo"] = other.Name }));
    }

    /// <summary>Kills a silo in the midst of a reply, which goes on at the other one.</summary>
    async Task TakeOverAsync()
    {
        using var stream = await Rig.Client().StreamAsync(Turns.Seeded("taken", 1000), Cancellation);
        await stream.ReadAsync(5, Cancellation);
        Rig.SiloOf(stream.Silo).Kill();
        await stream.ReadToEndAsync(Cancellation);
        Assert.True(stream.IsDone, stream.Error);
    }

    async Task<int> PostAsync(string path, JsonObject body)
    {
        using var response = await Rig.Client().Http.PostAsJsonAsync(path, body, Cancellation);
        return (int)response.StatusCode;
    }
}
