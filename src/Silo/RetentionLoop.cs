using Hearth.Actors.Storage;
using Hearth.Actors.Storage.Embedded;
using Microsoft.Extensions.Logging;

namespace Hearth.Silo;

/// <summary>Removes conversations that nobody went on with for so long: at the start, and every hour.</summary>
sealed class RetentionLoop(EmbeddedStore store, TimeSpan retention, TimeProvider time, ILogger logger)
{
    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(Actors.Limits.RetentionPeriod, time);
        try
        {
            do
            {
                await ExpireAsync(stop);
            }
            while (await timer.WaitForNextTickAsync(stop));
        }
        catch (OperationCanceledException)
        {
            // The silo stops.
        }
    }

    async Task ExpireAsync(CancellationToken stop)
    {
        try
        {
            if (await store.ExpireAsync(retention, stop) is > 0 and var expired)
                SiloLog.Expired(logger, expired, retention);
        }
        catch (StoreException e)
        {
            SiloLog.ExpireFailed(logger, e.Message);
        }
    }
}
