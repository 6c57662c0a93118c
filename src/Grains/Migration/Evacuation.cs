using Hearth.Actors;
using Hearth.Actors.Membership;
using Hearth.Contracts;

namespace Hearth.Grains.Migration;

/// <summary>How far a silo's drain has come.</summary>
/// <param name="Moved">Conversations that went to other silos with what they held.</param>
/// <param name="Released">Those that were let go: their caches are in the store, or are gone.</param>
/// <param name="Left">Those that are still here.</param>
public sealed record DrainReport(int Moved, int Released, int Left);

/// <summary>Moves many conversations away: all of a silo that ends, or some of one that has too many.</summary>
sealed class Evacuation(GrainHost<ConversationGrain> host, ConversationServices services, SiloPeers? peers,
    Func<ConversationGrain, SiloEntry, CancellationToken, Task<MoveResult>> move)
{
    readonly Lock _lock = new();
    int _moved;
    int _released;

    /// <summary>Empties a silo that takes no more conversations: the coldest go first, so that the warmest lose least.</summary>
    /// <exception cref="OperationCanceledException">The time is over; what is left is left.</exception>
    public async Task<DrainReport> DrainAsync(IProgress<DrainReport>? progress, CancellationToken cancellationToken)
    {
        while (host.Count > 0)
        {
            var queue = new Queue<ConversationGrain>(host.Live.OrderByDescending(l => l.Idle).Select(l => l.Grain));
            await Task.WhenAll(Enumerable.Range(0, Limits.MovesOut).Select(_ => WorkAsync()));
            if (host.Count > 0)
                await Task.Delay(Limits.DrainPause, services.Time, cancellationToken);

            async Task WorkAsync()
            {
                while (Next() is { } grain)
                {
                    await SendAwayAsync(grain, cancellationToken);
                    progress?.Report(new DrainReport(_moved, _released, host.Count));
                }
            }

            ConversationGrain? Next()
            {
                lock (_lock)
                    return queue.TryDequeue(out var grain) ? grain : null;
            }
        }
        return new DrainReport(_moved, _released, 0);
    }

    /// <summary>Moves some conversations to a silo that has room: idle ones before running ones, none that came or woke
    /// lately.</summary>
    /// <returns>How many went.</returns>
    public async Task<int> MoveSomeAsync(int count, SiloEntry target, CancellationToken cancellationToken)
    {
        var settled = host.Live.Where(l => l.Grain.Age >= Actors.Limits.RebalanceStay && Holds(l.Grain))
            .OrderByDescending(l => l.Idle)
            .Take(count).Select(l => l.Grain).ToList();
        var went = 0;
        foreach (var grain in settled)
            went += (await MoveOneAsync(grain, target, cancellationToken)).Silo is null ? 0 : 1;
        return went;
    }

    /// <summary>Moves what is worth it; lets go of what holds nothing, and of what nobody takes once it is quiet.</summary>
    async Task SendAwayAsync(ConversationGrain grain, CancellationToken cancellationToken)
    {
        var tried = new List<string> { host.Silo };
        while (Holds(grain) && tried.Count <= Limits.DrainTargets && peers?.Choose(grain.Model, tried) is { } target)
        {
            if ((await MoveOneAsync(grain, target, cancellationToken)).Silo is not null)
            {
                Interlocked.Increment(ref _moved);
                return;
            }
            tried.Add(target.Id);
        }
        if (grain.Live.Count > 0)
            return; // It finishes its replies first; the next round comes by again.
        await host.DeactivateAsync(grain.Context.Id, DeactivationReason.Stopping);
        Interlocked.Increment(ref _released);
    }

    async Task<MoveResult> MoveOneAsync(ConversationGrain grain, SiloEntry target, CancellationToken cancellationToken)
    {
        try
        {
            return await move(grain, target, cancellationToken);
        }
        catch (GrainRefusedException e)
        {
            return new MoveResult(null, e.Message); // It has gone already.
        }
        catch (Exception e) when (e is not OperationCanceledException && Failures.Of(e) is { } failure)
        {
            return new MoveResult(null, failure.Message); // It stays; the next round comes by again.
        }
    }

    bool Holds(ConversationGrain grain) => grain.Live.Count > 0
        || services.Models.Find(grain.Model)?.Engine.DescribeCache(grain.Cache) is { Tier: not CacheTier.None };
}
