using System.Collections.Concurrent;
using System.Text.Json;
using System.Threading.Channels;
using Hearth.Actors;
using Hearth.Actors.Transport;
using Hearth.Contracts;

namespace Hearth.Gateway.Tests.Cluster;

/// <summary>A silo whose replies are the same everywhere and stop where a test wants them to.</summary>
sealed class FakeSilo
{
    public const int Events = 12;

    readonly FakeDirectory _directory;
    readonly Func<string, bool> _isGone;
    readonly ConcurrentDictionary<TurnId, IReadOnlyList<TurnEvent>> _turns = new();
    readonly Channel<TurnId> _abandoned = Channel.CreateBounded<TurnId>(1024);
    readonly Channel<bool> _stalled = Channel.CreateBounded<bool>(1024);

    public FakeSilo(string id, FakeDirectory directory, Func<string, bool> isGone, FakePeers peers)
    {
        (Id, _directory, _isGone) = (id, directory, isGone);
        peers.Serve(id, HandleAsync);
    }

    public string Id { get; }

    /// <summary>Every call as it came.</summary>
    public ConcurrentQueue<(string Method, byte[] Request)> Calls { get; } = new();

    public int Runs => Calls.Count(c => c.Method == PeerMethods.RunTurn);

    /// <summary>Turns that were begun, not attached to.</summary>
    public int Begun => _turns.Count;

    /// <summary>Events after which a turn waits for ever.</summary>
    public int StallAfter { get; set; } = int.MaxValue;

    /// <summary>Answers turns with this in place of running them.</summary>
    public Func<TurnFailure?> Refuse { get; set; } = () => null;

    /// <summary>The next turn whose caller left it, or was cut off.</summary>
    public ValueTask<TurnId> AbandonedAsync(CancellationToken cancellationToken) => _abandoned.Reader.ReadAsync(cancellationToken);

    /// <summary>The events that the turn's first call here said were shown.</summary>
    public IReadOnlyList<TurnEvent> ShownOf(string turn) => _turns[new TurnId(turn)];

    public ValueTask<bool> StalledAsync(CancellationToken cancellationToken) => _stalled.Reader.ReadAsync(cancellationToken);

    /// <summary>Event <paramref name="i"/> of every turn, as silo <paramref name="silo"/> makes it.</summary>
    public static TurnEvent EventOf(int i, string silo) => (i switch
    {
        0 => ScriptedCluster.Started() with { Silo = silo, Model = ScriptedCluster.Model },
        < Events - 2 => new TurnDelta { Text = $"t{i} ", Tokens = [i] },
        Events - 2 => (TurnEvent)new ChoiceFinished { Reason = FinishReason.Stop },
        _ => new TurnFinished { Usage = new Usage(1, Events, 0) },
    }) with
    { Sequence = i };

    async Task HandleAsync(PeerCall call, CancellationToken stop)
    {
        Calls.Enqueue((call.Method, call.Request.ToArray()));
        switch (call.Method)
        {
            case PeerMethods.RunTurn:
                var run = JsonSerializer.Deserialize(call.Request.Span, ContractsJson.Default.RunTurnCall)!;
                await RunAsync(call, new GrainId(run.Turn.Tenant.Value, run.Turn.Conversation.Value), run.Turn.Id, run.FromEvent,
                    run.Shown, stop);
                break;
            case PeerMethods.AttachTurn:
                var attach = JsonSerializer.Deserialize(call.Request.Span, ContractsJson.Default.TurnCall)!;
                await RunAsync(call, new GrainId(attach.Tenant.Value, attach.Conversation.Value), attach.Turn, attach.FromEvent,
                    [], stop);
                break;
            case PeerMethods.RunCompletion:
                await StreamAsync(call, 0, stop);
                break;
            case PeerMethods.MigrateConversation or PeerMethods.DescribeConversation or PeerMethods.SpillConversation:
                var asked = JsonSerializer.Deserialize(call.Request.Span, ContractsJson.Default.ConversationCall)!;
                if (asked.Silo is { } target)
                    _directory.Locations[new GrainId(asked.Tenant.Value, asked.Conversation.Value)] = new(new(target, 2, "b"), target);
                await SendAsync(call, new ConversationAnswer(Info(asked)), stop);
                break;
            case PeerMethods.Tokenize:
                await SendAsync(call, new TextAnswer([1, 2], null), stop);
                break;
            default:
                await SendAsync(call, new DoneAnswer(true), stop);
                break;
        }
    }

    async Task RunAsync(PeerCall call, GrainId grain, TurnId turn, int from, IReadOnlyList<TurnEvent> shown, CancellationToken stop)
    {
        if (Refuse() is { } refusal)
        {
            await SendAsync(call, new TurnFailed { Failure = refusal }, stop);
            return;
        }
        // As the real one: a claim, which may find that another silo was faster.
        var owner = _directory.Locations.AddOrUpdate(grain, _ => new(new(Id, 1, "a"), Id),
            (_, known) => known.Owner is { } o && o.Silo != Id && !_isGone(o.Silo) ? known : new(new(Id, 1, "a"), Id)).Owner!.Silo;
        if (owner != Id)
        {
            await SendAsync(call, new TurnFailed { Failure = new TurnFailure(TurnError.Moved, "moved", Silo: owner) }, stop);
            return;
        }
        _turns.TryAdd(turn, shown);
        try
        {
            await StreamAsync(call, from, stop);
        }
        catch (Exception e) when (e is OperationCanceledException or PeerException)
        {
            _abandoned.Writer.TryWrite(turn);
            throw;
        }
    }

    async Task StreamAsync(PeerCall call, int from, CancellationToken stop)
    {
        for (var i = from; i < Events; i++)
        {
            if (i >= StallAfter)
            {
                _stalled.Writer.TryWrite(true);
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop);
            }
            await SendAsync(call, EventOf(i, Id), stop);
        }
    }

    ConversationInfo Info(ConversationCall call) => new()
    {
        Id = call.Conversation.Value,
        Silo = call.Silo ?? Id,
        Epoch = 1,
        State = "idle",
        Turns = 1,
        CachedTokens = 5,
        Tier = "device",
        Bytes = 1,
    };

    static ValueTask SendAsync<T>(PeerCall call, T answer, CancellationToken stop) =>
        call.SendAsync(JsonSerializer.SerializeToUtf8Bytes(answer, answer is TurnEvent ? typeof(TurnEvent) : typeof(T),
            ContractsJson.Default), stop);
}
