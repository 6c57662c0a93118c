using System.Diagnostics;
using System.Text.Json;
using Hearth.Actors.Transport;
using Hearth.Contracts;

namespace Hearth.Cluster.Bench;

/// <summary>Reads a reply as a gateway does: goes where it is sent, and on with what it has shown.</summary>
sealed class Follower(TwoSilos silos, ChatTurn turn, int at)
{
    readonly List<TurnEvent> _events = [];
    readonly List<(int Tokens, TaskCompletionSource Reached)> _waits = [];
    readonly Lock _lock = new();
    int _tokens;
    long _lastDelta;
    long _asked;

    /// <summary>Milliseconds between two deltas: within a silo, and over a move.</summary>
    public List<double> Steps { get; } = [];
    public List<double> Pauses { get; } = [];

    /// <summary>From the request to the first delta.</summary>
    public TimeSpan Waited { get; private set; }

    public IReadOnlyList<TurnEvent> Events => _events;

    /// <summary>What must not depend on moves: text, tokens, their log-probabilities to the last bit, and how it ended.</summary>
    public string Essence
    {
        get
        {
            var deltas = _events.OfType<TurnDelta>().ToList();
            var logprobs = deltas.SelectMany(d => d.Logprobs).Select(l => $"{Bits(l.Logprob)}:"
                + string.Join('/', l.Top.Select(t => $"{Convert.ToHexString(t.Bytes)}={Bits(t.Logprob)}")));
            var ends = _events.OfType<ChoiceFinished>().ToList();
            var tokens = deltas.SelectMany(d => d.Tokens).Concat(ends.SelectMany(e => e.Tokens));
            return string.Join('\n', string.Concat(deltas.Select(d => d.Text)), string.Join(',', tokens),
                string.Join(',', logprobs), string.Join(',', ends.Select(e => e.Reason)), LastWord(_events[^1]));
        }
    }

    /// <summary>Completes when so many tokens have been shown, or the reply has ended.</summary>
    public Task UntilAsync(int tokens)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_tokens >= tokens)
                return Task.CompletedTask;
            _waits.Add((tokens, reached));
        }
        return reached.Task;
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        _asked = Stopwatch.GetTimestamp();
        try
        {
            for (var hops = 0; !await ReadAsync(cancellationToken); hops++)
            {
                if (hops > 1000)
                    throw new InvalidOperationException("The reply went from silo to silo without end.");
            }
        }
        finally
        {
            Count(int.MaxValue / 2);
        }
    }

    async Task<bool> ReadAsync(CancellationToken cancellationToken)
    {
        var request = JsonSerializer.SerializeToUtf8Bytes(
            new RunTurnCall(turn, _events.Count, _events), ContractsJson.Default.RunTurnCall);
        await using var call = await silos.Network.OpenAsync(
            silos[at].Address, PeerMethods.RunTurn, request, PeerCallOptions.Default, cancellationToken);
        var isFirst = true;
        while (await call.ReceiveAsync(cancellationToken) is { } message)
        {
            TurnEvent happened;
            using (message)
                happened = JsonSerializer.Deserialize(message.Memory.Span, ContractsJson.Default.TurnEvent)!;
            if (happened is TurnFailed { Failure: { Error: TurnError.Moved } moved })
            {
                at = moved.Silo is { } silo ? silos.IndexOf(silo) : 1 - at;
                return false;
            }
            if (happened.Sequence != _events.Count)
                throw new InvalidOperationException($"Event {happened.Sequence} came where {_events.Count} was due.");
            Note(happened, isFirst);
            isFirst = false;
            if (happened is TurnFinished or TurnFailed)
                return true;
        }
        throw new InvalidOperationException("The silo hung up.");
    }

    void Note(TurnEvent happened, bool isFirst)
    {
        if (happened is TurnDelta delta)
        {
            var now = Stopwatch.GetTimestamp();
            if (_events[^1] is TurnDelta)
                (isFirst ? Pauses : Steps).Add(Stopwatch.GetElapsedTime(_lastDelta, now).TotalMilliseconds);
            if (isFirst && _events[^1] is TurnDelta)
                silos.Trace.Show(_lastDelta, now);
            if (_lastDelta == 0)
                Waited = Stopwatch.GetElapsedTime(_asked, now);
            _lastDelta = now;
            Count(delta.Tokens.Count);
        }
        _events.Add(happened);
    }

    void Count(int tokens)
    {
        lock (_lock)
        {
            _tokens += tokens;
            foreach (var (at, reached) in _waits.Where(w => w.Tokens <= _tokens))
                reached.TrySetResult();
            _waits.RemoveAll(w => w.Tokens <= _tokens);
        }
    }

    static string LastWord(TurnEvent last) => last is TurnFinished finished ? $"{finished.Usage.CompletionTokens} tokens"
        : $"failed: {(last as TurnFailed)?.Failure.Message}";

    static string Bits(float value) => BitConverter.SingleToInt32Bits(value).ToString("x8", null);
}
