using Hearth.Actors;
using Hearth.Actors.Storage.Embedded;
using Hearth.Contracts;
using Hearth.Engine;
using Hearth.Engine.Models;
using Hearth.Grains;
using Microsoft.Extensions.Logging;

namespace Hearth.Silo;

/// <summary>A worker, put together: store, grains, model, engine, in this order up and in the reverse one down. Its cluster
/// answers from the first moment, and says that it is loading until a model serves.</summary>
public sealed class SiloHost : IAsyncDisposable
{
    readonly SiloOptions _options;
    readonly ILoggerFactory _loggers;
    readonly TimeProvider _time;
    readonly EmbeddedStore _store;
    readonly ModelCatalog _models = new();
    readonly LocalCluster _cluster;
    LoadedModel? _model;
    TokenEngine? _engine;

    SiloHost(SiloOptions options, EmbeddedStore store, ILoggerFactory loggers, TimeProvider time)
    {
        (_options, _store, _loggers, _time) = (options, store, loggers, time);
        _cluster = new LocalCluster(
            // The store's lock proves that whoever wrote an ownership into it before is gone.
            new GrainHostOptions { Silo = options.Name, SiloIsGone = (_, _) => ValueTask.FromResult(true) },
            store.Grains, store.Blobs, _models, time, loggers.CreateLogger("Hearth.Grains"));
        _models.ReportLoading(options.ServedName, "reading weights", 0);
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
        // Reading gigabytes is no work for the pool's threads.
        var served = await Task.Factory.StartNew(
            () => SiloException.Guard(() => Load(progress, cancellationToken)),
            cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        _models.ReportLoading(_options.ServedName, "warming up", 1);
        await WarmUp.RunAsync(served.Engine, cancellationToken);
        _models.Serve(served);
    }

    ServedModel Load(Action<long, long> progress, CancellationToken cancellationToken)
    {
        LoadedModel.RequireConfig(_options.ModelDirectory);
        // Small files first: what is wrong in them is said before gigabytes of weights are read.
        var text = ServedModel.ReadText(_options.ModelDirectory);
        _model = LoadedModel.Load(
            _options.ModelDirectory,
            new ModelOptions
            {
                Name = _options.ServedName,
                KvType = _options.KvDType,
                ContextLength = _options.ContextLength,
                Threads = _options.Threads,
                Progress = read =>
                {
                    _models.ReportLoading(_options.ServedName, $"reading weights, {read.Fraction:P0}", read.Fraction);
                    progress(read.BytesDone, read.BytesTotal);
                },
            },
            cancellationToken);
        _engine = TokenEngine.Create(_model, EngineOptions(), _loggers.CreateLogger("Hearth.Engine"), _time);
        return ServedModel.Load(_engine, text);
    }

    EngineOptions EngineOptions() => new()
    {
        Threads = _options.Threads,
        KvMemoryBytes = _options.KvMemoryBytes,
        HostMemoryBytes = _options.HostMemoryBytes,
        MaxBatchTokens = _options.MaxBatchTokens,
    };

    /// <summary>Running turns end, caches are written, then everything is let go.</summary>
    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        if (_engine is not null)
            await _engine.DisposeAsync();
        _model?.Dispose();
        _store.Dispose();
    }
}
