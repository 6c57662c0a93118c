using System.Security.Cryptography;
using System.Text.Json;
using Hearth.Actors.Metrics;
using Hearth.Actors.Placement;
using Hearth.Actors.Storage;
using Microsoft.Extensions.Logging;

namespace Hearth.Actors.Membership;

/// <summary>A silo's own part in the membership: joins, beats, stops itself in time, leaves. On the system's clock the beats
/// have a thread of their own, so that they go on when the thread pool is starved; on any other clock they are plain
/// asynchronous code.</summary>
public sealed partial class SiloMember : IAsyncDisposable
{
    readonly IMembershipStore _store;
    readonly MembershipOptions _options;
    readonly Func<SiloLoad> _load;
    readonly TimeProvider _time;
    readonly ILogger _logger;
    readonly CancellationTokenSource _stop = new();
    readonly TaskCompletionSource _died = new(TaskCreationOptions.RunContinuationsAsynchronously);
    BeatThread? _thread;
    Task _beating = Task.CompletedTask;
    Task _revalidating = Task.CompletedTask;
    volatile SiloEntry? _self;
    volatile SiloStatus _status = SiloStatus.Joining;
    string _incarnation = "";
    string _validFor = "";
    (string Silo, string Incarnation) _checkedFor;
    bool _away;

    /// <param name="load">Asked with every beat, on the thread of the beats: must be quick and never wait.</param>
    /// <exception cref="ArgumentException">The times do not fit together.</exception>
    public SiloMember(IMembershipStore store, MembershipOptions options, Func<SiloLoad> load, TimeProvider time, ILogger logger)
    {
        (_store, _options, _load, _time, _logger) = (store, options.Checked(), load, time, logger);
        Lease = new Lease(time);
    }

    public Lease Lease { get; }

    public SiloStatus Status => Lease.IsLost ? SiloStatus.Dead : _status;

    /// <summary>The id of this silo now. It changes only while the lease is not held, before <see cref="Revalidate"/> is
    /// called: when the store came back without this silo's row, the silo joins again under a new generation.</summary>
    public string Silo => _self?.Id ?? throw new InvalidOperationException("The silo has not joined.");

    /// <summary>Completes when this silo was declared dead: the process must end.</summary>
    public Task Died => _died.Task;

    /// <summary>Called when the store is another one than before (restarted, rolled back, failed over): what is owned must be
    /// checked against it. If <see cref="Silo"/> is another one too, nothing is owned any more. While it runs the lease is not
    /// held. After a <see cref="StoreException"/> it is called again.</summary>
    public Func<CancellationToken, Task> Revalidate { get; set; } = _ => Task.CompletedTask;

    /// <summary>The part of a silo's id that every start of a process makes anew: 8 hex digits.</summary>
    public static string NewGeneration() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));

    /// <summary>Enters the table as Joining and begins to beat. Returns after the first beat: the lease is held.</summary>
    /// <exception cref="StoreException">The store did not answer: it may be tried again with another id.</exception>
    public async ValueTask JoinAsync(SiloEntry silo, CancellationToken cancellationToken)
    {
        if (!await _store.JoinAsync(silo with { Status = SiloStatus.Joining }, cancellationToken))
            throw new InvalidOperationException($"There has been a silo {silo.Id} already: a process needs a new generation.");
        _self = silo;
        if (_time == TimeProvider.System)
            _thread = new BeatThread($"beats of {silo.Name}");
        _beating = _thread?.RunAsync(BeatsAsync) ?? BeatsAsync();
        await Lease.HeldAsync(cancellationToken);
    }

    /// <summary>Active, then Draining.</summary>
    /// <exception cref="StoreException">The store did not answer: the status may be set or not, and can be set again.</exception>
    /// <exception cref="LeaseLostException">The silo is dead.</exception>
    public async ValueTask SetStatusAsync(SiloStatus status, CancellationToken cancellationToken)
    {
        if (status is not (SiloStatus.Active or SiloStatus.Draining) || status < _status)
            throw new ArgumentException($"A silo that is {_status} cannot become {status}.", nameof(status));
        await Lease.HeldAsync(cancellationToken);
        // Kept first: a store that comes back without its last writes is told again.
        _status = status;
        await _store.SetStatusAsync(Silo, status, cancellationToken);
    }

    /// <summary>Leaves for good: only after everything owned was given back. The lease is over, and <see cref="Died"/> does
    /// not complete.</summary>
    /// <exception cref="StoreException">The store did not answer: the others will notice that the beats have ended.</exception>
    public async ValueTask LeaveAsync(CancellationToken cancellationToken)
    {
        Lease.Lose($"Silo {Silo} has left.");
        await StopAsync();
        await _store.SetStatusAsync(Silo, SiloStatus.Dead, cancellationToken);
        LogLeft(_logger, Silo);
    }

    /// <summary>Stops beating without leaving: the others notice after a lease.</summary>
    public async ValueTask DisposeAsync()
    {
        Lease.Lose("The silo is stopping.");
        await StopAsync();
    }

    async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _beating;
        await _revalidating.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    async Task BeatsAsync()
    {
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                var sent = _time.GetTimestamp();
                await BeatAsync(sent);
                var rest = _options.Beat - _time.GetElapsedTime(sent);
                if (rest > TimeSpan.Zero)
                    await Task.Delay(rest, _thread?.Time ?? _time, _stop.Token);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            return; // it was stopped
        }
        catch (LeaseLostException e)
        {
            LogDied(_logger, e.Message);
            Die(e.Message);
        }
        catch (Exception e)
        {
            // A silo that cannot say that it lives must not go on as if it could.
            LogFailed(_logger, Silo, e);
            Die($"Silo {Silo} cannot beat: {e.Message}");
        }
    }

    void Die(string reason)
    {
        Lease.Lose(reason);
        _died.TrySetResult();
    }

    async Task BeatAsync(long sent)
    {
        try
        {
            var load = JsonSerializer.SerializeToUtf8Bytes(_load(), PlacementJson.Default.SiloLoad);
            var result = await _store.BeatAsync(Silo, load, _stop.Token);
            ActorMetrics.Beat(ok: true);
            if (result.Outcome == BeatOutcome.Unknown && result.Incarnation != _incarnation)
                await RejoinAsync(result.Incarnation);
            else
                Take(result, sent);
            if (_away)
                LogBack(_logger, Silo);
            _away = false;
        }
        catch (StoreException e)
        {
            ActorMetrics.Beat(ok: false);
            if (!_away)
                LogAway(_logger, Silo, e);
            _away = true;
        }
    }

    void Take(BeatResult result, long sent)
    {
        if (result.Outcome == BeatOutcome.Dead)
            throw new LeaseLostException($"Silo {Silo} was declared dead.");
        if (result.Outcome == BeatOutcome.Unknown)
            throw new LeaseLostException($"Silo {Silo} is in the table no more.");
        if (_incarnation == "")
            _validFor = result.Incarnation; // its first beat: it owns nothing yet
        if (result.Incarnation != _incarnation)
            Distrust(result.Incarnation);
        if (_validFor != _incarnation && !IsValidated())
            return;
        if (!Lease.IsHeld)
        {
            LogHeld(_logger, Silo);
            if (Lease.WasHeld)
                ActorMetrics.LeaseLapsed();
        }
        Lease.Renew(sent + (long)((_options.Lease - _options.Margin).TotalSeconds * _time.TimestampFrequency));
    }

    /// <summary>The store is another one: the lease is not held until all has been checked against it.</summary>
    void Distrust(string incarnation)
    {
        if (_incarnation != incarnation && _validFor != incarnation)
        {
            Lease.Suspend();
            LogOtherStore(_logger, Silo, incarnation);
        }
        _incarnation = incarnation;
    }

    /// <summary>The store came back without this silo's row. Others may take over what the old id owned as soon as a lease is
    /// over, so it owns nothing from now on, and its new id stands in the table before anybody here can use it.</summary>
    async Task RejoinAsync(string incarnation)
    {
        Lease.Suspend();
        var self = _self! with { Id = $"{_self.Name}/{NewGeneration()}", Status = SiloStatus.Joining };
        if (!await _store.JoinAsync(self, _stop.Token))
            return;
        LogRejoined(_logger, Silo, self.Id);
        _self = self;
        (_incarnation, _validFor) = (incarnation, "");
    }

    /// <summary>Starts the check, or looks whether it is done.</summary>
    bool IsValidated()
    {
        if (_revalidating.IsFaulted && _revalidating.Exception.InnerException is not StoreException)
            throw new InvalidOperationException("What is owned could not be checked.", _revalidating.Exception.InnerException);
        if (_revalidating.IsCompleted && !(_revalidating.IsCompletedSuccessfully && _checkedFor == (Silo, _incarnation)))
        {
            _checkedFor = (Silo, _incarnation);
            // Not on the thread of the beats, which must not wait for it.
            _revalidating = _thread is null ? CheckAsync() : Task.Run(CheckAsync, _stop.Token);
        }
        if (!_revalidating.IsCompletedSuccessfully || _checkedFor != (Silo, _incarnation))
            return false;
        _validFor = _incarnation;
        return true;
    }

    async Task CheckAsync()
    {
        await Revalidate(_stop.Token);
        if (_status != SiloStatus.Joining)
            await _store.SetStatusAsync(Silo, _status, _stop.Token);
    }

    [LoggerMessage(EventId = 110, Level = LogLevel.Critical, Message = "{Reason} This process must end")]
    static partial void LogDied(ILogger logger, string reason);

    [LoggerMessage(EventId = 111, Level = LogLevel.Critical, Message = "Silo {Silo} cannot beat and must end")]
    static partial void LogFailed(ILogger logger, string silo, Exception exception);

    [LoggerMessage(EventId = 112, Level = LogLevel.Warning,
        Message = "Silo {Silo} cannot renew its lease; it will be silent when that has run out")]
    static partial void LogAway(ILogger logger, string silo, Exception exception);

    [LoggerMessage(EventId = 113, Level = LogLevel.Information, Message = "Silo {Silo} reaches the store again")]
    static partial void LogBack(ILogger logger, string silo);

    [LoggerMessage(EventId = 114, Level = LogLevel.Information, Message = "Silo {Silo} holds its lease")]
    static partial void LogHeld(ILogger logger, string silo);

    [LoggerMessage(EventId = 115, Level = LogLevel.Warning,
        Message = "Silo {Silo}: the store is another one now ({Incarnation}); what is owned is checked against it")]
    static partial void LogOtherStore(ILogger logger, string silo, string incarnation);

    [LoggerMessage(EventId = 116, Level = LogLevel.Warning,
        Message = "Silo {Old}: the store has lost its row; it goes on as {New} and owns nothing")]
    static partial void LogRejoined(ILogger logger, string old, string @new);

    [LoggerMessage(EventId = 117, Level = LogLevel.Information, Message = "Silo {Silo} has left")]
    static partial void LogLeft(ILogger logger, string silo);
}
