using Hearth.Actors.Membership;
using Hearth.Actors.Metrics;
using Hearth.Actors.Storage;
using Microsoft.Extensions.Logging;

namespace Hearth.Actors;

/// <summary>A silo's catalog: activates grains on demand, at most one activation per id, and collects the idle ones.</summary>
public sealed class GrainHost<TGrain> : IAsyncDisposable where TGrain : Grain
{
    readonly GrainHostOptions _options;
    readonly IGrainStore _store;
    readonly Func<GrainContext, TGrain> _create;
    readonly TimeProvider _time;
    readonly ILogger _logger;
    readonly Dictionary<GrainId, Activation<TGrain>> _activations = [];
    readonly Lock _lock = new();
    readonly ITimer _collector;
    string _silo;
    string? _closed;

    /// <param name="create">Makes the object; its state is loaded by ActivateAsync.</param>
    public GrainHost(
        GrainHostOptions options, IGrainStore store, Func<GrainContext, TGrain> create, TimeProvider time, ILogger logger)
    {
        (_options, _store, _create, _time, _logger, _silo) = (options, store, create, time, logger, options.Silo);
        ActorMetrics.Begin();
        var period = options.IdleMax / 4;
        _collector = time.CreateTimer(_ => CollectIdle(), null, period, period);
    }

    /// <summary>This silo's name: another one after <see cref="RejoinAsync"/>.</summary>
    public string Silo
    {
        get
        {
            lock (_lock)
                return _silo;
        }
    }

    public int Count
    {
        get
        {
            lock (_lock)
                return _activations.Count;
        }
    }

    /// <summary>The live activations, and how long each has been idle.</summary>
    public IReadOnlyList<(TGrain Grain, TimeSpan Idle)> Live
    {
        get
        {
            lock (_lock)
            {
                return [.. _activations.Values.Where(IsLive).Select(a => (a.Started.Result, a.Idle))];
            }
        }
    }

    /// <summary>The live instance, activated if need be. It may end any time: calls through its context then say Gone.</summary>
    /// <exception cref="GrainRefusedException">The grain cannot be activated here.</exception>
    /// <exception cref="StoreException">The store did not answer.</exception>
    public async Task<TGrain> ActivateAsync(GrainId id, CancellationToken cancellationToken)
    {
        while (true)
        {
            var (activation, isNew) = FindOrStart(id);
            // Who began it is told why it failed, however soon that was.
            if (isNew || !activation.Leaving)
                return await activation.Started.WaitAsync(cancellationToken);
            await activation.Ended.WaitAsync(cancellationToken);
            Forget(activation);
        }
    }

    /// <summary>Makes an activation ready for a hand-over: loaded, but not the owner before <see cref="TryStart"/>.
    /// Who asks for the grain meanwhile waits.</summary>
    /// <returns>Null if the grain is active here.</returns>
    /// <exception cref="GrainRefusedException">The silo takes no more activations.</exception>
    /// <exception cref="StoreException">The store did not answer.</exception>
    public async Task<TGrain?> PrepareAsync(GrainId id, CancellationToken cancellationToken)
    {
        while (true)
        {
            Activation<TGrain>? found;
            lock (_lock)
            {
                if (!_activations.TryGetValue(id, out found) && TryAdd(id, out found))
                    break;
            }
            if (IsLive(found))
                return null;
            await Task.WhenAny(found.Started, found.Ended).WaitAsync(cancellationToken);
            if (found.Ended.IsCompleted)
                Forget(found);
            else if (found.Leaving)
                await found.Ended.WaitAsync(cancellationToken);
        }
        var activation = Get(id)!;
        _ = ForgetAtEndAsync(activation);
        return await activation.PrepareAsync(_create, cancellationToken);
    }

    /// <summary>Starts a prepared activation with the epoch that it was given.</summary>
    /// <returns>False if it has been given up.</returns>
    public bool TryStart(GrainId id, string activation, long epoch) =>
        Get(id) is { } found && found.Fence.Activation == activation && found.TryStart(epoch);

    /// <summary>Gives up a prepared activation. Does nothing to one that has started.</summary>
    public void Abandon(GrainId id, string activation)
    {
        if (Get(id) is { } found && found.Fence.Activation == activation)
            found.Abandon();
    }

    /// <summary>The live instance if there is one.</summary>
    public TGrain? Find(GrainId id) => Get(id) is { } found && IsLive(found) ? found.Started.Result : null;

    /// <summary>Runs a message in the grain's turn, and again in a new activation if it was collected meanwhile.</summary>
    public async Task<T> CallAsync<T>(GrainId id, Func<TGrain, Task<T>> message, CancellationToken cancellationToken)
    {
        while (true)
        {
            var grain = await ActivateAsync(id, cancellationToken);
            try
            {
                return await grain.Context.CallAsync(() => message(grain)).WaitAsync(cancellationToken);
            }
            catch (GrainRefusedException e) when (e.Kind == RefusalKind.Gone)
            {
            }
        }
    }

    /// <summary>Ends an activation and waits until it has let go.</summary>
    public async Task DeactivateAsync(GrainId id, DeactivationReason reason)
    {
        if (Get(id) is not { } activation)
            return;
        activation.Deactivate(reason);
        await activation.Ended;
    }

    /// <summary>Compares every activation with what the store says, and ends those that it does not name or has less of. To be
    /// called when the store is another one than before, while the lease is not held.</summary>
    /// <returns>Number of activations that were ended.</returns>
    /// <exception cref="StoreException">The store did not answer: call again.</exception>
    public async Task<int> RevalidateAsync(CancellationToken cancellationToken)
    {
        Activation<TGrain>[] all;
        lock (_lock)
            all = [.. _activations.Values.Where(IsLive)];
        var ended = 0;
        foreach (var activation in all)
        {
            var stored = await _store.DescribeAsync(activation.Id, cancellationToken);
            if (stored?.Owner is { } owner && owner.Silo == Silo && new Fence(owner.Epoch, owner.Activation) == activation.Fence
                && !activation.Started.Result.IsAheadOf(stored))
            {
                continue;
            }
            activation.Deactivate(DeactivationReason.Fenced);
            ended++;
        }
        return ended;
    }

    /// <summary>Goes on as another silo: drops every activation without a store write first. To be called while the lease is
    /// not held.</summary>
    public async Task RejoinAsync(string silo)
    {
        while (true)
        {
            Activation<TGrain>[] all;
            lock (_lock)
            {
                all = [.. _activations.Values];
                if (all.Length == 0)
                {
                    _silo = silo;
                    return;
                }
            }
            foreach (var activation in all)
                activation.Deactivate(DeactivationReason.Fenced);
            await Task.WhenAll(all.Select(a => a.Ended));
            foreach (var activation in all)
                Forget(activation);
        }
    }

    /// <summary>Refuses new activations from now on; those that live go on.</summary>
    /// <param name="reason">Told to who asks for one.</param>
    public void Close(string reason)
    {
        lock (_lock)
            _closed ??= reason;
    }

    /// <summary>Refuses new messages, ends what runs, gives every grain back.</summary>
    public async ValueTask DisposeAsync()
    {
        Activation<TGrain>[] all;
        lock (_lock)
        {
            _closed ??= "The silo is stopping.";
            all = [.. _activations.Values];
        }
        await _collector.DisposeAsync();
        foreach (var activation in all)
            activation.Deactivate(DeactivationReason.Stopping);
        await Task.WhenAll(all.Select(a => a.Ended));
    }

    /// <returns>The grain's activation; or one that is ending, after which the caller asks again.</returns>
    (Activation<TGrain> Activation, bool IsNew) FindOrStart(GrainId id)
    {
        lock (_lock)
        {
            if (_activations.TryGetValue(id, out var found) || !TryAdd(id, out found))
                return (found, false);
            found.Start(_create);
            _ = ForgetAtEndAsync(found);
            return (found, true);
        }
    }

    /// <summary>Adds an activation that has not begun yet; if there is no room, ends the one that is idle longest.</summary>
    /// <returns>False if that one's end must be waited for.</returns>
    bool TryAdd(GrainId id, out Activation<TGrain> activation)
    {
        if (_closed is not null)
            throw new GrainRefusedException(RefusalKind.Stopping, _closed);
        if (_activations.Count >= _options.ActivationsMax)
        {
            activation = _activations.Values.Where(a => a.Leaving || a.Idle > TimeSpan.Zero).MaxBy(a => a.Idle)
                ?? throw new GrainRefusedException(
                    RefusalKind.TooManyActivations, $"{_options.ActivationsMax} grains are at work on this silo.");
            activation.Deactivate(DeactivationReason.Idle);
            return false;
        }
        activation = new Activation<TGrain>(_store, _options.SiloIsGone, _logger)
        {
            Id = id,
            Time = _time,
            Silo = _silo,
            Lease = _options.Lease,
        };
        _activations.Add(id, activation);
        return true;
    }

    Activation<TGrain>? Get(GrainId id)
    {
        lock (_lock)
            return _activations.GetValueOrDefault(id);
    }

    static bool IsLive(Activation<TGrain> activation) =>
        activation is { Leaving: false, Started.IsCompletedSuccessfully: true };

    async Task ForgetAtEndAsync(Activation<TGrain> activation)
    {
        await activation.Ended;
        Forget(activation);
    }

    void Forget(Activation<TGrain> activation)
    {
        lock (_lock)
        {
            if (_activations.TryGetValue(activation.Id, out var found) && found == activation)
                _activations.Remove(activation.Id);
        }
    }

    void CollectIdle()
    {
        lock (_lock)
        {
            foreach (var activation in _activations.Values)
            {
                if (activation.Idle >= _options.IdleMax)
                    activation.Deactivate(DeactivationReason.Idle);
            }
        }
    }
}

public sealed record GrainHostOptions
{
    /// <summary>This silo's name, new with every start of the process.</summary>
    public required string Silo { get; init; }

    /// <summary>Whether a silo is known to be gone for good: only then are its grains taken over.</summary>
    public required Func<string, CancellationToken, ValueTask<bool>> SiloIsGone { get; init; }

    /// <summary>Without it the silo does nothing that others could see.</summary>
    public Lease Lease { get; init; } = Lease.Forever;

    /// <summary>An activation that nobody called for this long is collected.</summary>
    public TimeSpan IdleMax { get; init; } = TimeSpan.FromMinutes(15);

    public int ActivationsMax { get; init; } = Limits.ActivationsMax;
}
