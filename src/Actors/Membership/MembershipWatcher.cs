using Hearth.Actors.Metrics;
using Hearth.Actors.Placement;
using Hearth.Actors.Storage;
using Microsoft.Extensions.Logging;

namespace Hearth.Actors.Membership;

/// <summary>Reads the table of silos again and again, keeps the newest view, and declares those dead whose lease has run out.
/// Gateways and silos each have one. Thread-safe.</summary>
public sealed partial class MembershipWatcher : IAsyncDisposable
{
    readonly IMembershipStore _store;
    readonly MembershipOptions _options;
    readonly TimeProvider _time;
    readonly ILogger _logger;
    readonly DeathWatch _deaths;
    readonly LoadBoard _loads;
    readonly CancellationTokenSource _stop = new();
    readonly Lock _lock = new();
    volatile MembershipView _view = MembershipView.Empty;
    TaskCompletionSource _next = NewSignal();
    TaskCompletionSource _hurry = NewSignal();
    TaskCompletionSource<MembershipView>? _reading;
    TaskCompletionSource<MembershipView>? _queued;
    Task _watching = Task.CompletedTask;
    long _hurryUntil = long.MinValue;
    long _incarnationSince;
    long _lastRead;
    bool _away;

    /// <exception cref="ArgumentException">The times do not fit together.</exception>
    public MembershipWatcher(IMembershipStore store, MembershipOptions options, TimeProvider time, ILogger logger)
    {
        (_store, _options, _time, _logger) = (store, options.Checked(), time, logger);
        (_deaths, _loads) = (new DeathWatch(_options, time), new LoadBoard(logger));
    }

    /// <summary>The newest view. Within an incarnation of the store its version only grows.</summary>
    public MembershipView View => _view;

    /// <summary>Load of each silo of the view, as it last told; the default for one that has not told yet.</summary>
    public SiloLoad LoadOf(string silo) => _loads.Of(silo);

    /// <summary>Whether the store answered lately: within a lease.</summary>
    public bool IsCurrent =>
        _view != MembershipView.Empty && _time.GetElapsedTime(Volatile.Read(ref _lastRead)) < _options.Lease;

    /// <summary>Completes with the next view that is newer than the given one. None is missed, though those in between may
    /// be.</summary>
    public async Task<MembershipView> NextAsync(MembershipView after, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
        while (true)
        {
            Task next;
            lock (_lock)
                next = _next.Task;
            if (_view is var view && IsNewer(view, after))
                return view;
            await next.WaitAsync(either.Token);
        }
    }

    /// <summary>Reads the first view and begins to watch.</summary>
    /// <exception cref="StoreException">The store did not answer: it may be started again.</exception>
    public async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        await RefreshAsync(cancellationToken);
        _watching = WatchAsync();
    }

    /// <summary>Reads the table at once, or shares a read that begins later than this call.</summary>
    /// <exception cref="StoreException">The store did not answer.</exception>
    public async ValueTask<MembershipView> RefreshAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource<MembershipView> asked;
        bool first;
        lock (_lock)
        {
            first = _reading is null;
            asked = first ? _reading = NewRead() : _queued ??= NewRead();
        }
        if (first)
            _ = ReadAllAsync(asked);
        return await asked.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Whether a silo is gone for good, with its lease: dead, or in no row of a table that was read after the
    /// question came up (and was there for a lease already: a store that lost its rows does not end the leases of the silos
    /// that it forgot).</summary>
    /// <exception cref="StoreException">The store did not answer.</exception>
    public async ValueTask<bool> IsGoneAsync(string silo, CancellationToken cancellationToken)
    {
        var view = await RefreshAsync(cancellationToken);
        return view.Find(silo) is { } row
            ? row.Status == SiloStatus.Dead
            : _time.GetElapsedTime(Volatile.Read(ref _incarnationSince)) >= _options.Lease;
    }

    /// <summary>A connection to it broke: looks at once, and more often for a while. Decides nothing.</summary>
    public void Suspect(string silo)
    {
        if (_view.Find(silo) is null or { Status: SiloStatus.Dead })
            return;
        lock (_lock)
        {
            var now = _time.GetTimestamp();
            var hurried = now < _hurryUntil;
            _hurryUntil = now + Ticks(_options.Lease * 2);
            if (!hurried)
                _hurry.TrySetResult();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watching;
    }

    async Task WatchAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            await WaitAsync();
            try
            {
                await RefreshAsync(_stop.Token);
                if (_away)
                    LogBack(_logger);
                _away = false;
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (StoreException e)
            {
                if (!_away)
                    LogAway(_logger, e);
                _away = true;
            }
        }
    }

    /// <summary>Until the next look at the table is due, or somebody is suspected.</summary>
    async Task WaitAsync()
    {
        Task hurry;
        TimeSpan wait;
        lock (_lock)
        {
            var now = _time.GetTimestamp();
            var period = now < _hurryUntil ? _options.Watch / 4 : _options.Watch;
            // A millisecond more, for timers are cut to whole ones; and never at once, for a look changes nothing so soon.
            var due = (_deaths.NextDue(now) ?? period) + TimeSpan.FromMilliseconds(1);
            wait = due > period ? period : due < _options.Watch / 16 ? _options.Watch / 16 : due;
            hurry = _hurry.Task;
        }
        // It ends every quarter of a second without a hurry: no exception for that.
        var hurried = hurry.WaitAsync(wait, _time, _stop.Token);
        await hurried.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        if (!hurried.IsCompletedSuccessfully)
            return;
        lock (_lock)
            _hurry = NewSignal();
    }

    /// <summary>Reads one after the other, as long as somebody asks: a read under way may have begun before a question.</summary>
    async Task ReadAllAsync(TaskCompletionSource<MembershipView> asked)
    {
        for (var next = asked; next is not null;)
        {
            try
            {
                next.SetResult(await ReadAsync());
            }
            catch (OperationCanceledException e)
            {
                next.SetCanceled(e.CancellationToken);
            }
            catch (Exception e)
            {
                next.SetException(e);
                _ = next.Task.Exception; // whoever asked may have gone
            }
            lock (_lock)
                (_reading, _queued, next) = (_queued, null, _queued);
        }
    }

    async Task<MembershipView> ReadAsync()
    {
        var sent = _time.GetTimestamp();
        MembershipSnapshot seen;
        try
        {
            seen = await _store.ReadAsync(_stop.Token);
        }
        catch
        {
            lock (_lock)
                _deaths.Missed();
            throw;
        }
        foreach (var (silo, beat) in Take(seen, sent))
            await DeclareDeadAsync(silo, beat);
        if (seen.View.Silos.Count(s => s.Status == SiloStatus.Dead) > Limits.DeadSilosMax)
            await _store.PruneAsync(Limits.DeadSilosKept, _stop.Token);
        return _view;
    }

    /// <returns>Silos to be declared dead.</returns>
    IReadOnlyList<(string Silo, long Beat)> Take(MembershipSnapshot seen, long sent)
    {
        lock (_lock)
        {
            if (seen.View.Incarnation == _view.Incarnation && seen.View.Version < _view.Version)
            {
                LogOlder(_logger, seen.View.Version, _view.Version);
                _deaths.Missed();
                return [];
            }
            var received = _time.GetTimestamp();
            var overdue = _deaths.Look(seen, sent, received);
            _loads.Take(seen);
            if (seen.View.Incarnation != _view.Incarnation)
                Volatile.Write(ref _incarnationSince, received);
            Volatile.Write(ref _lastRead, received);
            if (IsNewer(seen.View, _view))
            {
                _view = seen.View;
                _next.TrySetResult();
                _next = NewSignal();
            }
            return overdue;
        }
    }

    async Task DeclareDeadAsync(string silo, long beat)
    {
        if (!await _store.DeclareDeadAsync(silo, beat, _stop.Token))
            return;
        LogDead(_logger, silo, beat, _options.Lease.TotalSeconds);
        MembershipMetrics.DeclaredDead();
        lock (_lock)
            _hurry.TrySetResult();
    }

    long Ticks(TimeSpan span) => (long)(span.TotalSeconds * _time.TimestampFrequency);

    static bool IsNewer(MembershipView view, MembershipView than) =>
        view.Incarnation != than.Incarnation || view.Version > than.Version;

    static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    static TaskCompletionSource<MembershipView> NewRead() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    [LoggerMessage(EventId = 120, Level = LogLevel.Warning,
        Message = "Silo {Silo} is declared dead: its beat stood at {Beat} for {Seconds} s")]
    static partial void LogDead(ILogger logger, string silo, long beat, double seconds);

    [LoggerMessage(EventId = 121, Level = LogLevel.Warning,
        Message = "The table of silos cannot be read; nobody is declared dead")]
    static partial void LogAway(ILogger logger, Exception exception);

    [LoggerMessage(EventId = 122, Level = LogLevel.Information, Message = "The table of silos can be read again")]
    static partial void LogBack(ILogger logger);

    [LoggerMessage(EventId = 123, Level = LogLevel.Warning,
        Message = "The table of silos has version {Version} after {Newer}, from the same store: ignored")]
    static partial void LogOlder(ILogger logger, long version, long newer);
}
