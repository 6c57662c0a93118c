using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary>Lets a bounded number of turns in, in all and per tenant; the rest is refused at once, never queued. A turn that
/// comes over an open connection while the server stops is let in too: each connection ends after the request it
/// has.</summary>
sealed class TurnAdmission(GatewayOptions options, ICluster cluster)
{
    readonly Lock _gate = new();
    readonly Dictionary<TenantId, int> _running = [];
    int _total;

    public int Running => Volatile.Read(ref _total);

    /// <returns>Null when the turn is in: then <paramref name="lease"/> gives its place back.</returns>
    public ApiError? TryEnter(TenantId tenant, out Lease lease)
    {
        lease = default;
        var status = cluster.Status;
        if (!status.Ready)
        {
            var cause = status.Started ? status.Cause : TurnError.ModelLoading;
            return ApiError.Of(new TurnFailure(cause, $"No turns are accepted now: {status.Reason}."));
        }
        lock (_gate)
        {
            var mine = _running.GetValueOrDefault(tenant);
            if (_total >= options.TurnsMax)
            {
                return ApiError.Of(new TurnFailure(TurnError.Overloaded, "The server runs as many turns as it can: try again."));
            }
            if (mine >= options.TurnsPerTenantMax)
            {
                return ApiError.TenantLimit(options.TurnsPerTenantMax);
            }
            _running[tenant] = mine + 1;
            _total++;
        }
        lease = new Lease(this, tenant);
        return null;
    }

    void Leave(TenantId tenant)
    {
        lock (_gate)
        {
            _total--;
            if (--_running[tenant] == 0)
            {
                _running.Remove(tenant);
            }
        }
    }

    public readonly struct Lease(TurnAdmission? admission, TenantId tenant) : IDisposable
    {
        public void Dispose() => admission?.Leave(tenant);
    }
}
