using System.Text.Json;
using Hearth.Actors.Membership;

namespace Hearth.Actors.History;

/// <summary>Records every change of the table, each view that is new to this process, and beats that were not just
/// answered.</summary>
public sealed class RecordingMembershipStore(IMembershipStore inner, HistoryWriter history) : IMembershipStore
{
    readonly Lock _lock = new();
    (string Incarnation, long Version) _seen = ("", -1);

    public ValueTask<bool> JoinAsync(SiloEntry silo, CancellationToken cancellationToken) =>
        Change("join", silo.Id, silo.Status, () => inner.JoinAsync(silo, cancellationToken));

    public async ValueTask<BeatResult> BeatAsync(string silo, ReadOnlyMemory<byte> load, CancellationToken cancellationToken)
    {
        var result = await inner.BeatAsync(silo, load, cancellationToken);
        if (result.Outcome != BeatOutcome.Alive)
        {
            history.Write("beat_refused", json =>
            {
                json.WriteString("silo", silo);
                RecordingGrainStore.WriteOutcome(json, result.Outcome);
                json.WriteString("incarnation", result.Incarnation);
                json.WriteNumber("version", result.Version);
            });
        }
        return result;
    }

    public ValueTask<bool> SetStatusAsync(string silo, SiloStatus status, CancellationToken cancellationToken) =>
        Change("set_status", silo, status, () => inner.SetStatusAsync(silo, status, cancellationToken));

    public ValueTask<bool> DeclareDeadAsync(string silo, long beat, CancellationToken cancellationToken) =>
        Change("declare_dead", silo, SiloStatus.Dead, () => inner.DeclareDeadAsync(silo, beat, cancellationToken));

    public async ValueTask<MembershipSnapshot> ReadAsync(CancellationToken cancellationToken)
    {
        var read = await inner.ReadAsync(cancellationToken);
        var view = read.View;
        lock (_lock)
        {
            if (_seen == (view.Incarnation, view.Version))
                return read;
            _seen = (view.Incarnation, view.Version);
        }
        history.Write("view", json =>
        {
            json.WriteString("incarnation", view.Incarnation);
            json.WriteNumber("version", view.Version);
            json.WriteStartObject("silos");
            foreach (var silo in view.Silos)
                json.WriteString(silo.Id, NameOf(silo.Status));
            json.WriteEndObject();
        });
        return read;
    }

    public ValueTask PruneAsync(int keep, CancellationToken cancellationToken) => inner.PruneAsync(keep, cancellationToken);

    ValueTask<bool> Change(string op, string silo, SiloStatus status, Func<ValueTask<bool>> change) =>
        history.CallAsync(op, json =>
        {
            json.WriteString("silo", silo);
            json.WriteString("status", NameOf(status));
        }, change, (json, done) => json.WriteString("outcome", done ? "done" : "refused"));

    static string NameOf(SiloStatus status) => JsonNamingPolicy.SnakeCaseLower.ConvertName(status.ToString());
}
