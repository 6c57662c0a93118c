using Hearth.Contracts;
using Hearth.Grains.Tests;
using Hearth.Simulation.Tests.World;
using Hearth.Tests.Shared;

namespace Hearth.Simulation.Tests.Cluster;

/// <summary>A turn as its client has it.</summary>
sealed class SimTurn(ChatTurn turn)
{
    public ChatTurn Turn => turn;
    public string Key => $"{turn.Conversation}/{turn.Id}";
    public TimeSpan Sent { get; set; } = TimeSpan.MaxValue;

    /// <summary>When it was acknowledged; null while it is not.</summary>
    public TimeSpan? Acknowledged { get; set; }

    /// <summary>Given up by its client: may be there or not.</summary>
    public bool IsGivenUp { get; set; }

    /// <summary>The store lost it with its last writes.</summary>
    public bool MayBeLost { get; set; }

    /// <summary>The reply as it was acknowledged.</summary>
    public string Text { get; set; } = "";
    public int Tries { get; set; }

    /// <summary>Last reason why it failed.</summary>
    public TurnFailure? Failure { get; set; }
    public bool IsOver => Acknowledged is not null || IsGivenUp;
}

/// <summary>Talks in one conversation: sends its turns one after the other, each again and again until it is acknowledged, through any
/// gateway; resumes broken streams; checks what it gets.</summary>
sealed class SimClient
{
    static readonly TurnError[] _retried =
    [
        TurnError.ConversationBusy, TurnError.Overloaded, TurnError.ModelLoading, TurnError.Draining, TurnError.DeadlineExceeded,
        TurnError.Fenced, TurnError.StoreUnavailable, TurnError.OutcomeUnknown, TurnError.Cancelled, TurnError.ConversationNotFound,
        TurnError.ConversationMoved,
    ];

    readonly SimCluster _cluster;
    readonly SimWorld _world;
    readonly Queue<SimTurn> _waiting = [];
    readonly ClientHistory? _history;
    SimTurn? _current;

    public SimClient(SimCluster cluster, string conversation, string name, int turns)
    {
        (_cluster, _world, Conversation, Name) = (cluster, cluster.World, conversation, name);
        Process = new SimProcess(_world, name);
        _history = cluster.Histories?.OfClient(name);
        for (var i = 1; i <= turns; i++)
            Add($"{name}-t{i}");
        _world.At(_world.Between(0, 2), () => Process.Do(Next));
    }

    public string Conversation { get; }
    public string Name { get; }
    public SimProcess Process { get; }
    public List<SimTurn> Turns { get; } = [];

    /// <summary>Chance that a client goes away in the middle of a stream, for good or to come back.</summary>
    public double LeavesChance { get; set; } = 0.05;

    /// <summary>Id of the turn that it waits for; null if none.</summary>
    public string? Current => _current?.Turn.Id.Value;

    public bool IsIdle => _current is null && _waiting.Count == 0;

    public void Add(string turn)
    {
        var next = new SimTurn(MakeTurn(turn));
        Turns.Add(next);
        _waiting.Enqueue(next);
    }

    /// <summary>Goes on if it is not at work.</summary>
    public void Next()
    {
        if (_current is not null || !_waiting.TryDequeue(out var turn))
            return;
        _current = turn;
        turn.Sent = _world.Now;
        Try(turn, new Shown());
    }

    ChatTurn MakeTurn(string id)
    {
        var random = _world.Random;
        return new ChatTurn
        {
            Id = new TurnId(id),
            Tenant = TenantId.Local,
            Conversation = new ConversationId(Conversation),
            Model = TinyModel.Name,
            History = HistoryMode.Append,
            Items = [MessageItem.Of(Role.User, $"{id} says {random.Next(1000)}")],
            BodyHash = $"body of {id}",
            Created = new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero) + _world.Now,
            Generation = new GenerationOptions
            {
                MaxTokens = random.Next(4) == 0 ? random.Next(1, 30) : 120,
                Stop = random.Next(4) == 0 ? ["q", "zé"] : [],
                Choices = random.Next(8) == 0 ? 2 : 1,
                Sampling = new SamplingOptions { Seed = random.Next(2) == 0 ? random.Next(1000) : null },
            },
        };
    }

    /// <summary>Sends the turn, or resumes its stream where it broke.</summary>
    void Try(SimTurn turn, Shown shown)
    {
        turn.Tries++;
        var gateways = _cluster.LiveGateways.Where(g => g.IsReady).ToList();
        if (gateways.Count == 0)
        {
            Later(() => Try(turn, shown));
            return;
        }
        var gateway = gateways[_world.Random.Next(gateways.Count)];
        var resume = shown.Events.Count > 0;
        _world.Log($"{Name} {(resume ? $"resumes {turn.Turn.Id} at {shown.Events.Count}" : $"sends {turn.Turn.Id}")} through {gateway.Name}");
        var leaveAt = _world.Chance(LeavesChance) ? _world.Random.Next(12) : int.MaxValue;
        var (giveUp, terminal) = ((Action?)null, (TurnEvent?)null);
        var stream = _history?.Send($"{turn.Turn.Tenant}/{Conversation}", turn.Turn.Id.Value, turn.Turn.BodyHash, gateway.Name,
            shown.Events.Count) ?? 0;
        giveUp = gateway.Stream(Process,
            (cluster, stop) => resume
                ? cluster.AttachTurnAsync(turn.Turn.Tenant, turn.Turn.Conversation, turn.Turn.Id, shown.Events.Count, stop)
                : cluster.RunTurnAsync(turn.Turn, stop),
            e =>
            {
                if (terminal is not null)
                    _world.Violate($"{Name}: an event after the end of {turn.Turn.Id}: {e}");
                if (e is TurnFinished or TurnFailed)
                    terminal = e;
                _history?.Event(stream, e.Sequence, KindOf(e), e is TurnDelta { Choice: 0 } told ? told.Text : "");
                if (e is not TurnFailed)
                    Take(turn, shown, e);
                if (shown.Events.Count > leaveAt && terminal is null)
                {
                    giveUp!();
                    Left(turn);
                }
            },
            whole =>
            {
                _history?.End(stream, !whole ? "broken" : terminal is TurnFinished ? "finished" : "failed",
                    (terminal as TurnFailed)?.Failure.Error.ToString(), terminal is TurnFinished ? shown.Text : null);
                Ended(turn, shown, whole ? terminal : null, whole);
            });
    }

    static string KindOf(TurnEvent e) => e switch
    {
        TurnStarted => "started",
        TurnDelta => "delta",
        ChoiceFinished => "choice",
        TurnFinished => "finished",
        _ => "failed",
    };

    void Take(SimTurn turn, Shown shown, TurnEvent e)
    {
        if (e.Sequence != shown.Events.Count)
            _world.Violate($"{Name}: event {e.Sequence} of {turn.Turn.Id} where {shown.Events.Count} comes next");
        if (e is TurnStarted != (e.Sequence == 0))
            _world.Violate($"{Name}: event {e.Sequence} of {turn.Turn.Id} is {e.GetType().Name}");
        shown.Events.Add(e);
        if (e is TurnDelta { Choice: 0 } delta)
            shown.Text += delta.Text;
    }

    void Ended(SimTurn turn, Shown shown, TurnEvent? terminal, bool whole)
    {
        switch (terminal)
        {
            case TurnFinished:
                turn.Acknowledged = _world.Now;
                turn.Text = shown.Text;
                _world.Log($"{Name} has {turn.Turn.Id}: {shown.Text}");
                Over();
                break;
            case TurnFailed failed:
                turn.Failure = failed.Failure;
                _world.Log($"{Name}: {turn.Turn.Id} failed: {failed.Failure.Error} {failed.Failure.Message}");
                if (!_retried.Contains(failed.Failure.Error))
                    _world.Violate($"{Name}: {turn.Turn.Id} failed: {failed.Failure.Error} {failed.Failure.Message}");
                Later(() => Try(turn, new Shown()));
                break;
            default:
                if (whole)
                    _world.Violate($"{Name}: the stream of {turn.Turn.Id} ended without an end");
                // Broken: some resume where they were, some send it again.
                Later(() => Try(turn, _world.Chance(0.7) ? shown : new Shown()));
                break;
        }
    }

    /// <summary>The client has gone: some come back with the same turn, some never.</summary>
    void Left(SimTurn turn)
    {
        _world.Log($"{Name} leaves {turn.Turn.Id}");
        if (_world.Chance(0.5))
        {
            Later(() => Try(turn, new Shown()));
            return;
        }
        turn.IsGivenUp = true;
        Over();
    }

    void Over()
    {
        _current = null;
        _world.At(_world.Between(0, 1), () => Process.Do(Next));
    }

    void Later(Action action) => _world.At(_world.Between(0.02, 0.5), () => Process.Do(action));

    /// <summary>What a client has of a reply.</summary>
    sealed class Shown
    {
        public List<TurnEvent> Events { get; } = [];
        public string Text { get; set; } = "";
    }
}
