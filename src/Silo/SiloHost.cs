using Hearth.Actors;
using Hearth.Actors.Storage.Embedded;
using Hearth.Contracts;
using Hearth.Grains;
using Microsoft.Extensions.Logging;

namespace Hearth.Silo;

/// <summary>A worker without a cluster, put together: store, grains, model, engine, in this order up and in the reverse one
/// down. Its cluster answers from the first moment, and says that it is loading until a model serves.</summary>
public sealed class SiloHost : IAsyncDisposable
{
    readonly EmbeddedStore _store;
    readonly ModelHost _model;
    readonly LocalCluster _cluster;
    readonly CancellationTokenSource _stop = new();
    readonly Task _expiring;
    readonly SiloMetrics _metrics;

    SiloHost(SiloOptions options, EmbeddedStore store, ILoggerFactory loggers, TimeProvider time)
    {
        (_store, _model) = (store, new ModelHost(options.Model, loggers, time));
        _cluster = new LocalCluster(
            // The store's lock proves that whoever wrote an ownership into it before is gone.
            new GrainHostOptions { Silo = options.Name, SiloIsGone = (_, _) => ValueTask.FromResult(true) },
            store.Grains, store.Blobs, _model.Catalog, time, loggers.CreateLogger("Hearth.Grains"));
        _expiring = options.Retention is { } retention
            ? new RetentionLoop(store, retention, time, loggers.CreateLogger("Hearth.Silo")).RunAsync(_stop.Token)
            : Task.CompletedTask;
        _metrics = new SiloMetrics(_cluster);
    }

    public ICluster Cluster => _cluster;

    /// <summary>Opens the data directory.</summary>
    /// <exception cref="SiloException">Another process uses it, or it cannot be opened.</exception>
    public static SiloHost Open(SiloOptions options, ILoggerFactory loggers, TimeProvider time) => SiloException.Guard(() =>
        new SiloHost(options, EmbeddedStore.Open(options.DataDirectory, options.SpillBytesMax, time), loggers, time));

    /// <summary>Loads the model and serves it.</summary>
    /// <param name="progress">Bytes of weights read, and all of them; called from several threads, one at a time.</param>
    /// <exception cref="SiloException">The checkpoint cannot be served.</exception>
    public async Task LoadAsync(Action<long, long> progress, CancellationToken cancellationToken)
    {
        await _model.ReadAsync(progress, cancellationToken);
        await _model.ServeAsync(cancellationToken);
    }

    /// <summary>Running turns end, caches are written, then everything is let go.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _expiring;
        await _cluster.DisposeAsync();
        await _model.DisposeAsync();
        _store.Dispose();
        _stop.Dispose();
        _metrics.Dispose();
    }
}
