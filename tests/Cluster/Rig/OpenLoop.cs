using System.Collections.Concurrent;
using System.Diagnostics;

namespace Hearth.Cluster.Tests.Rig;

/// <summary>Turns that come at a rate, whether or not those before them have been answered.</summary>
public sealed class OpenLoop(GatewayClient gateway, string hint, int tokens)
{
    readonly ConcurrentQueue<Arrival> _arrivals = new();
    int _next;

    /// <summary>As many turns at a time, each followed by the next: what the cluster can do.</summary>
    /// <returns>Tokens served per second.</returns>
    public async Task<double> PeakAsync(int atOnce, TimeSpan time, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, atOnce).Select(async _ =>
        {
            while (clock.Elapsed < time)
                await TurnAsync(clock, cancellationToken);
        }));
        return ServedPerSecond(time);
    }

    public async Task<IReadOnlyList<Arrival>> RunAsync(double perSecond, TimeSpan time, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var turns = new List<Task>();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (clock.Elapsed < time)
        {
            while (turns.Count < clock.Elapsed.TotalSeconds * perSecond)
                turns.Add(TurnAsync(clock, cancellationToken));
            await tick.WaitForNextTickAsync(cancellationToken);
        }
        await Task.WhenAll(turns);
        return [.. _arrivals];
    }

    /// <summary>Tokens of whole replies, but for the time's first quarter: by then what was idle is busy.</summary>
    public double ServedPerSecond(TimeSpan time) =>
        _arrivals.Where(a => a.At > time / 4 && a.At <= time).Sum(a => a.Answer.Reply?.ReplyTokens ?? 0) / (time * 0.75).TotalSeconds;

    async Task TurnAsync(Stopwatch clock, CancellationToken cancellationToken)
    {
        // Of many lengths, so that turns which began together do not end together.
        var number = Interlocked.Increment(ref _next);
        var body = Turns.Seeded($"{hint}-{number}", tokens / 2 + number * 37 % tokens);
        var sent = clock.Elapsed;
        var answer = await gateway.TryChatAsync(body, cancellationToken);
        _arrivals.Enqueue(new Arrival(answer, clock.Elapsed, clock.Elapsed - sent));
    }
}

/// <param name="At">When the answer was there.</param>
/// <param name="Took">From when it was sent.</param>
public sealed record Arrival(Answer Answer, TimeSpan At, TimeSpan Took);
