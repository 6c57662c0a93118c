using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using Hearth.Actors.Storage;

namespace Hearth.Actors.Metrics;

/// <summary>What happens to activations and to the silo's lease, over all hosts of the process (meter
/// <c>Hearth.Actors</c>).</summary>
static class ActorMetrics
{
    static readonly Meter _meter = new("Hearth.Actors");

    static readonly Counter<long> _created = _meter.CreateCounter<long>("hearth.activations_created", null,
        "Activations that began; takeover: their owner was dead.", [new("via", new[] { "claim", "takeover", "hand_over" })]);

    static readonly Counter<long> _ended = _meter.CreateCounter<long>("hearth.activations_ended", null, "Activations that ended.",
        [new("reason", new[] { "idle", "stopping", "deleted", "fenced", "uncertain", "handed_over" })]);

    static readonly Counter<long> _failures = _meter.CreateCounter<long>("hearth.activation_failures", null,
        "Activations that could not begin.",
        [new("cause", new[] { "owned_elsewhere", "deleted", "store", "lease", "other" })]);

    static readonly Counter<long> _conflicts = _meter.CreateCounter<long>("hearth.activation_epoch_conflicts", null,
        "Claims that another activation had won.");

    static readonly Counter<long> _beats = _meter.CreateCounter<long>("hearth.lease.beats", null, "Beats of the lease.",
        [new("result", new[] { "ok", "failed" })]);

    static readonly Counter<long> _lapses = _meter.CreateCounter<long>("hearth.lease.lapses", null,
        "Times that the lease ran out.");

    /// <summary>Shows the metrics at 0 before the first event.</summary>
    public static void Begin() => RuntimeHelpers.RunClassConstructor(typeof(ActorMetrics).TypeHandle);

    public static void Created(string via) => _created.Add(1, new KeyValuePair<string, object?>("via", via));

    public static void Ended(DeactivationReason reason) => _ended.Add(1, new KeyValuePair<string, object?>("reason", reason switch
    {
        DeactivationReason.Idle => "idle",
        DeactivationReason.Stopping => "stopping",
        DeactivationReason.Deleted => "deleted",
        DeactivationReason.Fenced => "fenced",
        DeactivationReason.HandedOver => "handed_over",
        _ => "uncertain",
    }));

    public static void Failed(Exception why) => _failures.Add(1, new KeyValuePair<string, object?>("cause", why switch
    {
        GrainRefusedException { Kind: RefusalKind.OwnedElsewhere } => "owned_elsewhere",
        GrainRefusedException { Kind: RefusalKind.Deleted } => "deleted",
        StoreException => "store",
        Membership.LeaseLostException or OperationCanceledException => "lease",
        _ => "other",
    }));

    public static void Conflicted() => _conflicts.Add(1);

    public static void Beat(bool ok) => _beats.Add(1, new KeyValuePair<string, object?>("result", ok ? "ok" : "failed"));

    public static void LeaseLapsed() => _lapses.Add(1);
}
