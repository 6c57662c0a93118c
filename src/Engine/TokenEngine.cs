using System.Diagnostics;
using System.Security.Cryptography;
using System.Threading.Channels;
using Hearth.Contracts;
using Hearth.Engine.Devices;
using Hearth.Engine.Memory;
using Hearth.Engine.Models;
using Hearth.Engine.Scheduling;
using Microsoft.Extensions.Logging;

namespace Hearth.Engine;

/// <summary>The engine's door: checks, accepts or refuses, and posts to the loop's thread. Thread-safe.</summary>
public sealed class TokenEngine : ITokenEngine, IAsyncDisposable
{
    readonly EngineOptions _options;
    readonly IDisposable[] _owned;
    readonly KvMemory _memory;
    readonly Inbox _inbox;
    readonly EngineMetrics _metrics;
    readonly TimeProvider _time;
    readonly Restorer _restorer;
    readonly Thread _thread;
    readonly CacheTransfers _transfers;
    readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    long _order;
    int _queued;
    int _alive;
    int _isDisposed;
    volatile bool _isDraining;

    /// <param name="owned">Disposed of after the runner, in this order.</param>
    internal TokenEngine(
        ModelCard model, IModelRunner runner, IKvBlocks blocks, EngineOptions options, ILogger log, TimeProvider time,
        params IDisposable[] owned)
    {
        options.Validate();
        (_options, _owned, _time) = (options, [runner, .. owned], time);
        var context = Math.Min(model.ContextLength, runner.ContextLength);
        Model = model with { ContextLength = (int)Math.Min(context, (long)blocks.Count * blocks.BlockTokens) };
        _memory = new KvMemory(blocks, options.HostMemoryBytes, options.Cache.Window);
        var format = new KvBlob(model.Fingerprint, blocks.BlockTokens, blocks.TokenBytes, blocks.Int8TokenBytes);
        _inbox = new Inbox(options.MaxQueue + options.MaxSequences);
        _metrics = new EngineMetrics(model.Name, blocks.Count, blocks.BlockTokens, options.HostMemoryBytes, time);
        _restorer = new Restorer(
            format, _memory.Host, options.MaxSequences, time, job => _inbox.TryPost(new EngineMessage.Restored(job)));
        var scheduler = new Scheduler(options.MaxBatchTokens);
        var admissions = new Admissions(
            _memory, scheduler, _metrics, options.MaxSequences, log, _restorer.TryStart, _ => Interlocked.Decrement(ref _queued),
            time);
        _transfers = new CacheTransfers(_memory, scheduler, admissions, format, _inbox, Model.ContextLength);
        var loop = new EngineLoop(
            runner, _memory, options, _inbox, scheduler, admissions, _metrics, time, log, _ => End());
        _thread = new Thread(loop.Run) { Name = "hearth-engine", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Starts an engine on the options' device. The model must outlive it.</summary>
    /// <exception cref="ArgumentException">An option is out of its bounds.</exception>
    /// <exception cref="DeviceException">A card or a library is missing, or cannot do what the model needs.</exception>
    /// <exception cref="InsufficientMemoryException">The KV memory cannot be reserved.</exception>
    public static TokenEngine Create(LoadedModel model, EngineOptions options, ILogger log, TimeProvider time)
    {
        options = options with { Cache = options.Cache with { Window = model.Window } };
        options.Validate();
        var placement = options.Device.Guard(() => Placement.On(options, model));
        return new TokenEngine(model.Card, placement.Runner, placement.Blocks, options, log, time, placement.Owned);
    }

    public ModelCard Model { get; }

    public EngineLoad Load => _metrics.Load;

    public bool IsFull => Volatile.Read(ref _queued) >= _options.MaxQueue;

    public int MaxQueue => _options.MaxQueue;

    public int ChunkTokens => Limits.ChunkTokens;

    public int BlockTokens => _memory.BlockTokens;

    internal KvMemory Memory => _memory;

    public TurnError TrySubmit(TokenRequest request, out ChannelReader<TokenChunk>? chunks)
    {
        chunks = null;
        if (_isDraining)
        {
            return TurnError.Draining;
        }

        var error = RequestCheck.Check(request, Model, _options.Cache);
        if (error != TurnError.None)
        {
            return error;
        }

        if (Interlocked.Increment(ref _queued) > _options.MaxQueue)
        {
            Interlocked.Decrement(ref _queued);
            return TurnError.Overloaded;
        }

        var room = Math.Min(request.MaxTokens, Model.ContextLength - request.Prompt.Length);
        var tokens = new TokenList(request.Prompt.Span, Math.Min(room, Limits.ReplyRoomTokens));
        var kind = request.Kind == CacheKind.Default ? _options.Cache.Kind : request.Kind;
        request = kind == CacheKind.None ? request with { Keep = false, Spill = null, Peer = null } : request;
        var cache = _memory.Create(request.Cache, request.Scope, tokens, kind, request.Prompt.Length + room);
        var seed = request.Sampling.Seed ?? BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long)));
        var sequence = new Sequence(Interlocked.Increment(ref _order), request, seed, cache, request.Prompt.Length + room)
        {
            Marks = new SequenceMarks(_time.GetTimestamp(), EngineTraces.IsOn ? Activity.Current?.Context ?? default : default),
        };
        Interlocked.Increment(ref _alive);
        sequence.Cancelled = request.Cancellation.UnsafeRegister(static inbox => ((Inbox)inbox!).Wake(), _inbox);
        sequence.Suspended = request.Suspension.UnsafeRegister(static inbox => ((Inbox)inbox!).Wake(), _inbox);
        if (!_inbox.TryPost(new EngineMessage.Submitted(sequence)))
        {
            sequence.Cancelled.Unregister();
            sequence.Suspended.Unregister();
            Interlocked.Decrement(ref _queued);
            End();
            return _inbox.IsClosed ? TurnError.Draining : TurnError.Overloaded;
        }

        chunks = new ChunkReader(sequence, _inbox.Wake);
        return TurnError.None;
    }

    public CacheInfo DescribeCache(CacheId cache) => _memory.Describe(cache);

    public ValueTask<CacheChunk?> ExportAsync(CacheId cache, int first, CancellationToken cancellationToken) =>
        _transfers.ExportAsync(cache, first, Limits.ChunkTokens, false, cancellationToken);

    public ValueTask<CacheChunk?> ExportPartAsync(CacheId cache, int first, int most, CancellationToken cancellationToken) =>
        _transfers.ExportAsync(cache, first, most, false, cancellationToken);

    public ValueTask<CacheChunk?> ExportInt8Async(CacheId cache, int first, CancellationToken cancellationToken) =>
        _transfers.ExportAsync(cache, first, Limits.ChunkTokens, true, cancellationToken);

    public ValueTask<string?> ImportAsync(CacheId cache, string scope, ReadOnlyMemory<int> tokens, int first,
        ReadOnlyMemory<byte> blob, CancellationToken cancellationToken) =>
        _transfers.ImportAsync(cache, scope, tokens, first, blob, cancellationToken);

    public ValueTask DropAsync(CacheId cache, CancellationToken cancellationToken)
    {
        _transfers.Drop(cache);
        return ValueTask.CompletedTask;
    }

    /// <summary>Refuses new requests and returns when the accepted ones have ended, or throws when cancelled;
    /// caches stay exportable.</summary>
    public Task DrainAsync(CancellationToken cancellationToken)
    {
        _isDraining = true;
        if (Volatile.Read(ref _alive) == 0)
        {
            _idle.TrySetResult();
        }

        return _idle.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Ends what still runs, each with its one final chunk, and gives all memory back.</summary>
    public async ValueTask DisposeAsync()
    {
        _isDraining = true;
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
        {
            return;
        }

        _inbox.Close();
        _thread.Join();
        await _transfers.DisposeAsync();
        await _restorer.DisposeAsync();
        _metrics.Dispose();
        Array.ForEach(_owned, item => item.Dispose());
    }

    void End()
    {
        if (Interlocked.Decrement(ref _alive) == 0 && _isDraining)
        {
            _idle.TrySetResult();
        }
    }
}
