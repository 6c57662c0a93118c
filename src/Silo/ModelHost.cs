using Hearth.Contracts;
using Hearth.Engine;
using Hearth.Engine.Models;
using Hearth.Grains;
using Microsoft.Extensions.Logging;

namespace Hearth.Silo;

/// <summary>A silo's model, from the checkpoint to an engine that serves.</summary>
sealed class ModelHost : IAsyncDisposable
{
    readonly ModelSettings _settings;
    readonly ILoggerFactory _loggers;
    readonly TimeProvider _time;
    LoadedModel? _model;
    TokenEngine? _engine;
    ServedModel? _served;

    public ModelHost(ModelSettings settings, ILoggerFactory loggers, TimeProvider time)
    {
        (_settings, _loggers, _time) = (settings, loggers, time);
        Catalog.ReportLoading(settings.ServedName, "reading weights", 0);
    }

    public ModelCatalog Catalog { get; } = new();

    /// <summary>Reads the weights and starts the engine.</summary>
    /// <param name="progress">Bytes of weights read, and all of them; called from several threads, one at a time.</param>
    /// <exception cref="SiloException">The checkpoint cannot be served.</exception>
    public async Task<ModelCard> ReadAsync(Action<long, long> progress, CancellationToken cancellationToken)
    {
        // Reading gigabytes is no work for the pool's threads.
        _served = await Task.Factory.StartNew(
            () => SiloException.Guard(() => Read(progress, cancellationToken)),
            cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        return _served.Card;
    }

    /// <summary>Warms the engine up, and takes turns from then on.</summary>
    public async Task ServeAsync(CancellationToken cancellationToken)
    {
        Catalog.ReportLoading(_settings.ServedName, "warming up", 1);
        await WarmUp.RunAsync(_served!.Engine, cancellationToken);
        Catalog.Serve(_served);
    }

    public async ValueTask DisposeAsync()
    {
        if (_engine is not null)
            await _engine.DisposeAsync();
        _model?.Dispose();
    }

    ServedModel Read(Action<long, long> progress, CancellationToken cancellationToken)
    {
        LoadedModel.RequireConfig(_settings.Directory);
        // Small files first: what is wrong in them is said before gigabytes of weights are read.
        var gguf = GgufText.Read(_settings.Directory);
        var text = gguf is null ? ServedModel.ReadText(_settings.Directory) : ServedModel.ReadText(gguf);
        _model = LoadedModel.Load(
            _settings.Directory,
            new ModelOptions
            {
                Name = _settings.ServedName,
                KvType = _settings.KvDType,
                Quantize = _settings.QuantizeDType,
                ContextLength = _settings.ContextLength,
                Threads = _settings.Threads,
                Progress = read =>
                {
                    Catalog.ReportLoading(_settings.ServedName, $"reading weights, {read.Fraction:P0}", read.Fraction);
                    progress(read.BytesDone, read.BytesTotal);
                },
            },
            cancellationToken);
        _engine = TokenEngine.Create(_model, EngineOptions(), _loggers.CreateLogger("Hearth.Engine"), _time);
        return gguf is null ? ServedModel.Load(_engine, text) : ServedModel.Load(_engine, text, gguf);
    }

    EngineOptions EngineOptions() => new()
    {
        Threads = _settings.Threads,
        Device = _settings.DeviceSpec,
        MaxMemoryBytes = _settings.MaxMemoryBytes,
        Deterministic = _settings.Deterministic,
        Progress = text => Catalog.ReportLoading(_settings.ServedName, text, 1),
        KvMemoryBytes = _settings.KvMemoryBytes,
        HostMemoryBytes = _settings.HostMemoryBytes,
        Cache = CachePolicy.Parse(_settings.Cache),
        MaxBatchTokens = _settings.MaxBatchTokens,
        MaxQueue = _settings.MaxQueue,
    };
}
