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
    bool _stopping;

    /// <param name="create">Makes the object; its state is loaded by ActivateAsync.</param>
    public GrainHost(
        GrainHostOptions options, IGrainStore store, Func<GrainContext, TGrain> create, TimeProvider time, ILogger logger)
    {
        (_options, _store, _create, _time, _logger) = (options, store, create, time, logger);
        var period = options.IdleMax / 4;
        _collector = time.CreateTimer(_ => CollectIdle(), null, period, period);
    }

    public string Silo => _options.Silo;

    public int Count
    {
        get
        {
            lock (_lock)
                return _activations.Count;
        }
    }

    /// <summary>The live instance, activated if need be. It may end any time: calls through its context then say Gone.</summary>
    /// <exception cref="GrainRefusedException">The grain cannot be activated here.</exception>
    /// <exception cref="StoreException">The store did not answer.</exception>
    public async Task<TGrain> ActivateAsync(GrainId id, CancellationToken cancellationToken)
    {
        while (true)
        {
            var activation = FindOrStart(id);
            if (!activation.Leaving)
                return await activation.Started.WaitAsync(cancellationToken);
            await activation.Ended.WaitAsync(cancellationToken);
            Forget(activation);
        }
    }

    /// <summary>The live instance if there is one.</summary>
    public TGrain? Find(GrainId id)
    {
        lock (_lock)
        {
            return _activations.TryGetValue(id, out var found)
                && found is { Leaving: false, Started.IsCompletedSuccessfully: true }
                ? found.Started.Result
                : null;
        }
    }

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
        Activation<TGrain>? activation;
        lock (_lock)
            _activations.TryGetValue(id, out activation);
        if (activation is null)
            return;
        activation.Deactivate(reason);
        await activation.Ended;
    }

    /// <summary>Refuses new messages, ends what runs, gives every grain back.</summary>
    public async ValueTask DisposeAsync()
    {
        Activation<TGrain>[] all;
        lock (_lock)
        {
            _stopping = true;
            all = [.. _activations.Values];
        }
        await _collector.DisposeAsync();
        foreach (var activation in all)
            activation.Deactivate(DeactivationReason.Stopping);
        await Task.WhenAll(all.Select(a => a.Ended));
    }

    /// <returns>The grain's activation; or one that is ending, after which the caller asks again.</returns>
    Activation<TGrain> FindOrStart(GrainId id)
    {
        lock (_lock)
        {
            if (_activations.TryGetValue(id, out var found))
                return found;
            if (_stopping)
                throw new GrainRefusedException(RefusalKind.Stopping, "The silo is stopping.");
            if (_activations.Count >= _options.ActivationsMax)
                return MakeRoom();
            var activation = new Activation<TGrain>(_store, _options.SiloIsGone, _logger)
            {
                Id = id,
                Time = _time,
                Silo = _options.Silo,
            };
            _activations.Add(id, activation);
            activation.Start(_create);
            _ = ForgetAtEndAsync(activation);
            return activation;
        }
    }

    /// <summary>Ends the activation that is idle longest, in favour of the one that is wanted now.</summary>
    Activation<TGrain> MakeRoom()
    {
        var idle = _activations.Values.Where(a => a.Leaving || a.Idle > TimeSpan.Zero).MaxBy(a => a.Idle);
        if (idle is null)
        {
            throw new GrainRefusedException(
                RefusalKind.TooManyActivations, $"{_options.ActivationsMax} grains are at work on this silo.");
        }
        idle.Deactivate(DeactivationReason.Idle);
        return idle;
    }

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
    public required Func<string, bool> SiloIsGone { get; init; }

    /// <summary>An activation that nobody called for this long is collected.</summary>
    public TimeSpan IdleMax { get; init; } = TimeSpan.FromMinutes(15);

    public int ActivationsMax { get; init; } = Limits.ActivationsMax;
}
