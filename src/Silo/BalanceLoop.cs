using System.Security.Cryptography;
using Hearth.Actors.Membership;
using Hearth.Actors.Placement;
using Hearth.Grains;
using Microsoft.Extensions.Logging;

namespace Hearth.Silo;

/// <summary>Gives this silo's surplus of conversations to silos that have room, a few at a time.</summary>
/// <param name="self">The silo's id now.</param>
sealed class BalanceLoop(LocalCluster cluster, MembershipWatcher watcher, Func<string> self, TimeProvider time, ILogger logger)
{
    readonly Rebalancer _rebalancer = new(time, new Random(RandomNumberGenerator.GetInt32(int.MaxValue)));

    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(Actors.Limits.RebalancePeriod, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
            {
                var moves = _rebalancer.Plan(
                    watcher.View, watcher.LoadOf, self(), cluster.Load.Activations, cluster.Movable);
                foreach (var move in moves)
                    SiloLog.Balanced(logger, await cluster.MoveSomeAsync(move.Count, move.Target, stop), move.Target.Id);
            }
        }
        catch (OperationCanceledException)
        {
            // The silo stops.
        }
    }
}
