using System.Collections.Concurrent;
using System.Text.Json;
using Hearth.Actors.Membership;
using Hearth.Actors.Placement;
using Hearth.Contracts;

namespace Hearth.Gateway.Cluster;

/// <summary>The silos as the watcher sees them, and a token for each that is cancelled when it is gone. Thread-safe.</summary>
sealed class SiloTable : IAsyncDisposable
{
    static readonly SiloDescription s_unknown = new(0, "unknown", "unknown", []);

    readonly MembershipWatcher _watcher;
    readonly ConcurrentDictionary<string, SiloDescription> _descriptions = new();
    readonly ConcurrentDictionary<string, CancellationTokenSource> _lives = new();
    readonly ConcurrentDictionary<(string Silo, string Model), long> _full = new();
    readonly CancellationTokenSource _stop = new();
    readonly Placer _placer;
    readonly TimeProvider _time;
    readonly Task _following;
    volatile ModelsOfView _models = new(MembershipView.Empty, []);

    public SiloTable(MembershipWatcher watcher, Random random, TimeProvider time)
    {
        (_watcher, _placer, _time) = (watcher, new Placer(watcher, random, time), time);
        _following = FollowAsync();
    }

    public MembershipWatcher Watcher => _watcher;
    public MembershipView View => _watcher.View;

    /// <summary>The models of all silos that are not dead; those that are still loading too.</summary>
    public IReadOnlyList<ModelCard> Models
    {
        get
        {
            var (view, models) = _models;
            if (!ReferenceEquals(view, View))
            {
                view = View;
                models = [.. view.Silos.Where(s => s.Status != SiloStatus.Dead)
                    .SelectMany(s => Describe(s).Models).DistinctBy(m => m.Name)];
                _models = new(view, models);
            }
            return models;
        }
    }

    public IEnumerable<SiloEntry> Living => View.Silos.Where(s => s.Status != SiloStatus.Dead);
    public IEnumerable<SiloEntry> Active => View.Silos.Where(s => s.Status == SiloStatus.Active);

    /// <summary>The silo, if it can have conversations: active or draining.</summary>
    public SiloEntry? Serving(string? id) =>
        id is not null && View.Find(id) is { Status: SiloStatus.Active or SiloStatus.Draining } silo ? silo : null;

    /// <summary>The living silo of this id, or the newest one of this name.</summary>
    public SiloEntry? Named(string idOrName) =>
        Living.FirstOrDefault(s => s.Id == idOrName) ?? Living.LastOrDefault(s => s.Name == idOrName);

    /// <summary>Where a conversation goes that nobody has; null if no active silo serves the model.</summary>
    public SiloEntry? Place(string model, ulong prefix, IReadOnlyCollection<string> except) =>
        _placer.Place(model, prefix, except);

    /// <summary>The silo has just had no room for a turn.</summary>
    public void WasFull(SiloEntry silo, string model) => _full[(silo.Id, model)] = _time.GetTimestamp();

    /// <summary>The silos that have had no room for this model a moment ago.</summary>
    public IEnumerable<string> Full(string model) => _full
        .Where(f => f.Key.Model == model && _time.GetElapsedTime(f.Value) < Limits.FullFor).Select(f => f.Key.Silo);

    /// <summary>Cancelled as soon as the silo is known to be gone for good.</summary>
    public CancellationToken LifeOf(SiloEntry silo)
    {
        var life = _lives.GetOrAdd(silo.Id, _ => new CancellationTokenSource());
        // The view that told of its death may have been handled before the source was there.
        if (View.Find(silo.Id) is null or { Status: SiloStatus.Dead })
        {
            life.Cancel();
        }
        return life.Token;
    }

    public SiloDescription Describe(SiloEntry silo) =>
        _descriptions.GetOrAdd(silo.Id, static (_, text) => Read(text), silo.Description);

    /// <summary>A description that cannot be read, as of a silo of another version, names no models: such a silo gets no
    /// conversation, and harms nobody else's.</summary>
    static SiloDescription Read(string text)
    {
        try
        {
            return JsonSerializer.Deserialize(text, ContractsJson.Default.SiloDescription)
                is { Models: not null, Device: not null } known
                && known.Models.All(m => m is { Name: not null })
                ? known
                : s_unknown;
        }
        catch (JsonException)
        {
            return s_unknown;
        }
    }

    public SiloInfo Info(SiloEntry silo)
    {
        var (description, load) = (Describe(silo), _watcher.LoadOf(silo.Id));
        return new SiloInfo
        {
            Id = silo.Id,
            Address = silo.Address,
            Pid = description.Pid,
            Device = description.Device,
            Models = load.Models.Count > 0 ? load.Models : [.. description.Models.Select(m => m.Name)],
            Status = silo.Status.ToString().ToLowerInvariant(),
            Conversations = load.Activations,
            BlocksUsed = load.BlocksUsed,
            BlocksTotal = load.BlocksTotal,
            Running = load.Running,
            Waiting = load.Waiting,
            Counts = load.Counts,
        };
    }

    public SiloLoad LoadOf(SiloEntry silo) => _watcher.LoadOf(silo.Id);

    public EngineLoad TotalLoad()
    {
        var loads = Living.Select(LoadOf).ToArray();
        return new EngineLoad
        {
            Running = loads.Sum(l => l.Running),
            Waiting = loads.Sum(l => l.Waiting),
            BlocksTotal = loads.Sum(l => l.BlocksTotal),
            BlocksUsed = loads.Sum(l => l.BlocksUsed),
        };
    }

    static bool IsGone(MembershipView view, string silo) => view.Find(silo) is null or { Status: SiloStatus.Dead };

    sealed record ModelsOfView(MembershipView View, IReadOnlyList<ModelCard> Models);

    async Task FollowAsync()
    {
        try
        {
            for (var view = _watcher.View; ; view = await _watcher.NextAsync(view, _stop.Token))
            {
                foreach (var id in _descriptions.Keys.Where(id => IsGone(view, id)))
                {
                    _descriptions.TryRemove(id, out _);
                }
                foreach (var full in _full.Keys.Where(k => IsGone(view, k.Silo)))
                {
                    _full.TryRemove(full, out _);
                }
                foreach (var (id, life) in _lives.Where(l => IsGone(view, l.Key)))
                {
                    if (_lives.TryRemove(id, out _))
                    {
                        await life.CancelAsync();
                    }
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _following;
        _stop.Dispose();
    }
}
