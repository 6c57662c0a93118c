using Hearth.Actors.Storage;

namespace Hearth.Actors.Membership;

/// <summary>The table of silos. Every change of the table is atomic and makes its version one higher; beats do not.
/// The store's clock is never asked: who is gone is told by beats that stopped, on the observers' monotonic clocks.</summary>
/// <exception cref="StoreException">Any call: the store did not answer.</exception>
public interface IMembershipStore
{
    /// <summary>Adds a silo that has never been in the table.</summary>
    /// <returns>False if its id is taken.</returns>
    ValueTask<bool> JoinAsync(SiloEntry silo, CancellationToken cancellationToken);

    /// <summary>Renews the silo's lease: its beat goes up by one, and its load is replaced.</summary>
    ValueTask<BeatResult> BeatAsync(string silo, ReadOnlyMemory<byte> load, CancellationToken cancellationToken);

    /// <summary>Moves a silo on: Joining, Active, Draining, Dead; never back.</summary>
    /// <returns>False if it is dead, unknown or further already.</returns>
    ValueTask<bool> SetStatusAsync(string silo, SiloStatus status, CancellationToken cancellationToken);

    /// <summary>Declares a silo dead whose beat is still the one that the caller has seen for a whole lease.</summary>
    /// <returns>False if it has beaten since.</returns>
    ValueTask<bool> DeclareDeadAsync(string silo, long beat, CancellationToken cancellationToken);

    ValueTask<MembershipSnapshot> ReadAsync(CancellationToken cancellationToken);

    /// <summary>Removes dead silos beyond a number of the newest.</summary>
    ValueTask PruneAsync(int keep, CancellationToken cancellationToken);
}

public enum SiloStatus
{
    Joining = 0,
    Active = 1,
    Draining = 2,
    /// <summary>For ever: the process that learns it of itself ends, and comes back as another silo.</summary>
    Dead = 3,
}

/// <summary>A row of the table.</summary>
/// <param name="Id">Name and generation, such as <c>silo-0/1f3a…</c>: a process that starts again is another silo.</param>
/// <param name="Address">Where its peers reach it: host:port.</param>
/// <param name="Description">JSON for the layers above; does not change.</param>
public sealed record SiloEntry(string Id, string Address, SiloStatus Status, string Description)
{
    /// <summary>The id without the generation.</summary>
    public string Name => Id.Split('/')[0];
}

/// <summary>The table at one moment. Views of one incarnation are ordered by their version.</summary>
/// <param name="Incarnation">Of the store: another one after it was started anew or another server took over.</param>
public sealed record MembershipView(string Incarnation, long Version, IReadOnlyList<SiloEntry> Silos)
{
    public static MembershipView Empty { get; } = new("", 0, []);

    public SiloEntry? Find(string id) => Silos.FirstOrDefault(s => s.Id == id);
}

public sealed record MembershipSnapshot(MembershipView View, IReadOnlyDictionary<string, SiloBeat> Beats);

/// <param name="Count">Beats so far.</param>
/// <param name="Load">As last given: <see cref="Placement.SiloLoad"/> as JSON.</param>
public readonly record struct SiloBeat(long Count, byte[] Load);

public enum BeatOutcome
{
    Alive,
    Dead,
    /// <summary>The store does not know the silo: it lost its row, or never had it.</summary>
    Unknown,
}

/// <param name="Incarnation">Of the store that answered.</param>
/// <param name="Version">Of the table.</param>
public readonly record struct BeatResult(BeatOutcome Outcome, string Incarnation, long Version);
