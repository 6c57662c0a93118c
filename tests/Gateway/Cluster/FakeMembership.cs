using System.Text.Json;
using Hearth.Actors.Membership;
using Hearth.Actors.Placement;
using Hearth.Actors.Storage;
using Hearth.Contracts;

namespace Hearth.Gateway.Tests.Cluster;

/// <summary>A table of silos that beat with every look at it and live until the test says otherwise.</summary>
sealed class FakeMembership : IMembershipStore
{
    readonly Lock _gate = new();
    readonly List<SiloEntry> _silos = [];
    long _version = 1;
    long _beats;

    public bool IsDown { get; set; }

    /// <summary>What silos tell.</summary>
    public Func<string, SiloLoad> Load { get; set; } = _ => new SiloLoad { Models = [ScriptedCluster.Model], BlocksTotal = 64 };

    public void Add(string id, SiloStatus status = SiloStatus.Active) => Add(id, JsonSerializer.Serialize(
        new SiloDescription(1, "cpu", "1", [ScriptedCluster.Card]), ContractsJson.Default.SiloDescription), status);

    public void Add(string id, string description, SiloStatus status = SiloStatus.Active) =>
        Change(() => _silos.Add(new SiloEntry(id, id, status, description)));

    public void Set(string id, SiloStatus status) => Change(() =>
    {
        var at = _silos.FindIndex(s => s.Id == id);
        _silos[at] = _silos[at] with { Status = status };
    });

    public bool IsGone(string id)
    {
        lock (_gate)
        {
            return _silos.Find(s => s.Id == id) is null or { Status: SiloStatus.Dead };
        }
    }

    void Change(Action change)
    {
        lock (_gate)
        {
            change();
            _version++;
        }
    }

    public ValueTask<MembershipSnapshot> ReadAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            _beats++;
            return IsDown
                ? ValueTask.FromException<MembershipSnapshot>(new StoreException("the store is away"))
                : ValueTask.FromResult(new MembershipSnapshot(new MembershipView("i", _version, [.. _silos]),
                    _silos.ToDictionary(s => s.Id, s => new SiloBeat(
                        _beats, JsonSerializer.SerializeToUtf8Bytes(Load(s.Id), PlacementJson.Default.SiloLoad)))));
        }
    }

    public ValueTask<bool> JoinAsync(SiloEntry silo, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<BeatResult> BeatAsync(string silo, ReadOnlyMemory<byte> load, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<bool> SetStatusAsync(string silo, SiloStatus status, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<bool> DeclareDeadAsync(string silo, long beat, CancellationToken cancellationToken) =>
        ValueTask.FromResult(false);

    public ValueTask PruneAsync(int keep, CancellationToken cancellationToken) => ValueTask.CompletedTask;
}
