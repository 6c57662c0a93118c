using Hearth.Actors.Membership;

namespace Hearth.Tests.Shared;

/// <summary>The table of silos of a <see cref="MemoryStore"/>.</summary>
public sealed class MemoryMembershipStore(MemoryStore store) : IMembershipStore
{
    public ValueTask<bool> JoinAsync(SiloEntry silo, CancellationToken cancellationToken)
    {
        if (store.Image.Members.ContainsKey(silo.Id))
            return ValueTask.FromResult(false);
        Put(new MemoryMember(silo, store.Image.MembersVersion + 1, 0, []), newVersion: true);
        return ValueTask.FromResult(true);
    }

    public ValueTask<BeatResult> BeatAsync(string silo, ReadOnlyMemory<byte> load, CancellationToken cancellationToken)
    {
        var row = store.Image.Members.GetValueOrDefault(silo);
        var outcome = row switch
        {
            null => BeatOutcome.Unknown,
            { Entry.Status: SiloStatus.Dead } => BeatOutcome.Dead,
            _ => BeatOutcome.Alive,
        };
        if (outcome == BeatOutcome.Alive)
            Put(row! with { Beat = row.Beat + 1, Load = load.ToArray() }, newVersion: false);
        return ValueTask.FromResult(new BeatResult(outcome, store.Incarnation, store.Image.MembersVersion));
    }

    public ValueTask<bool> SetStatusAsync(string silo, SiloStatus status, CancellationToken cancellationToken) =>
        ValueTask.FromResult(MoveOn(silo, status, null));

    public ValueTask<bool> DeclareDeadAsync(string silo, long beat, CancellationToken cancellationToken) =>
        ValueTask.FromResult(MoveOn(silo, SiloStatus.Dead, beat));

    public ValueTask<MembershipSnapshot> ReadAsync(CancellationToken cancellationToken)
    {
        var rows = store.Image.Members.Values.OrderBy(m => m.Number).ToList();
        return ValueTask.FromResult(new MembershipSnapshot(
            new MembershipView(store.Incarnation, store.Image.MembersVersion, rows.ConvertAll(m => m.Entry)),
            rows.ToDictionary(m => m.Entry.Id, m => new SiloBeat(m.Beat, m.Load))));
    }

    public ValueTask PruneAsync(int keep, CancellationToken cancellationToken)
    {
        var dead = store.Image.Members.Values.Where(m => m.Entry.Status == SiloStatus.Dead).OrderByDescending(m => m.Number);
        var old = dead.Skip(keep).Select(m => m.Entry.Id).ToList();
        store.Change(image => image with
        {
            Members = image.Members.RemoveRange(old),
            MembersVersion = image.MembersVersion + old.Count,
        });
        return ValueTask.CompletedTask;
    }

    bool MoveOn(string silo, SiloStatus status, long? beat)
    {
        if (store.Image.Members.GetValueOrDefault(silo) is not { } row || row.Entry.Status >= status || (beat ?? row.Beat) != row.Beat)
            return false;
        Put(row with { Entry = row.Entry with { Status = status } }, newVersion: true);
        return true;
    }

    void Put(MemoryMember row, bool newVersion) => store.Change(image => image with
    {
        Members = image.Members.SetItem(row.Entry.Id, row),
        MembersVersion = image.MembersVersion + (newVersion ? 1 : 0),
    });
}
