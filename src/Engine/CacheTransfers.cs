using Hearth.Contracts;
using Hearth.Engine.Memory;
using Hearth.Engine.Scheduling;

namespace Hearth.Engine;

/// <summary>Lets parts of caches out and in while the engine goes on: its memory's gate is taken for a moment before and after;
/// copying, hashing and checking are done without it.</summary>
sealed class CacheTransfers(
    KvMemory memory, Scheduler scheduler, Admissions admissions, KvBlob format, Inbox inbox, int contextLength) : IAsyncDisposable
{
    const string Stopped = "the engine stops";

    readonly BlobBuffers _buffers = new();
    readonly SemaphoreSlim _door = new(Limits.TransfersMax);

    public async ValueTask<CacheChunk?> ExportAsync(
        CacheId cache, int first, int most, bool int8, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfLessThan(most, memory.BlockTokens);
        ArgumentOutOfRangeException.ThrowIfNotEqual(first % memory.BlockTokens, 0, nameof(first));
        await _door.WaitAsync(cancellationToken);
        try
        {
            return Export(cache, first, most, int8);
        }
        finally
        {
            _door.Release();
        }
    }

    public async ValueTask<string?> ImportAsync(CacheId cache, string scope, ReadOnlyMemory<int> tokens, int first,
        ReadOnlyMemory<byte> blob, CancellationToken cancellationToken)
    {
        await _door.WaitAsync(cancellationToken);
        try
        {
            if (Check(tokens, first, blob, out var content) is { } wrong)
            {
                return wrong;
            }

            var held = memory.Create(cache, scope, new TokenList(tokens.Span, 0));
            held.IsExact = content == KvContent.Exact;
            var payload = memory.Host.Dequantize(blob[KvBlob.HeaderBytes..^KvBlob.TrailerBytes], content);
            return Import(new ImportJob(held, first, payload));
        }
        finally
        {
            _door.Release();
        }
    }

    public void Drop(CacheId cache)
    {
        lock (memory.Gate)
        {
            if (inbox.IsClosed)
            {
                return;
            }

            memory.Drop(cache);
            foreach (var sequence in scheduler.Running)
            {
                sequence.IsDropped |= sequence.Cache.Id == cache;
            }

            foreach (var sequence in scheduler.Waiting)
            {
                sequence.IsDropped |= sequence.IsAnnounced && sequence.Cache.Id == cache;
            }

            Freed();
        }
    }

    /// <summary>After the engine's thread has ended: returns when nobody copies any more.</summary>
    public async ValueTask DisposeAsync()
    {
        for (var i = 0; i < Limits.TransfersMax; i++)
        {
            await _door.WaitAsync();
        }

        _door.Release(Limits.TransfersMax);
    }

    CacheChunk? Export(CacheId cache, int first, int most, bool int8)
    {
        CachePin? pin;
        lock (memory.Gate)
        {
            pin = inbox.IsClosed ? null : memory.TryPin(cache, first, most);
        }

        if (pin is null)
        {
            return null;
        }

        try
        {
            var content = int8 ? KvContent.Int8 : pin.IsExact ? KvContent.Exact : KvContent.WasInt8;
            var buffer = _buffers.Rent(format.SizeOf(pin.Tokens.Length - first, content));
            var blob = buffer.Memory;
            memory.Read(pin, content, KvBlob.Payload(blob.Span));
            format.Seal(blob.Span, first, pin.Tokens.Span, content);
            return new CacheChunk(first, pin.Tokens.Length - first, blob, buffer);
        }
        finally
        {
            lock (memory.Gate)
            {
                memory.Unpin(pin);
                Freed();
            }
        }
    }

    string? Import(ImportJob job)
    {
        lock (memory.Gate)
        {
            // Running sequences keep room for a block each: an import never costs one its place.
            var refusal = inbox.IsClosed ? Stopped : memory.BeginImport(job, scheduler.Active);
            if (refusal is not null)
            {
                return refusal;
            }
        }

        memory.Write(job);
        lock (memory.Gate)
        {
            var refusal = memory.EndImport(job);
            Freed();
            return inbox.IsClosed ? Stopped : refusal;
        }
    }

    /// <summary>Who waits for blocks may get them now, and the load has changed.</summary>
    void Freed()
    {
        admissions.Unblock();
        inbox.Wake();
    }

    string? Check(ReadOnlyMemory<int> tokens, int first, ReadOnlyMemory<byte> blob, out KvContent content)
    {
        content = default;
        var count = tokens.Length - first;
        return first < 0 || first % memory.BlockTokens != 0 ? $"a part begins at a multiple of {memory.BlockTokens} tokens"
            : count <= 0 || count > Limits.ChunkTokens ? $"a part has 1 to {Limits.ChunkTokens} tokens"
            : tokens.Length > contextLength ? $"the context is {contextLength} tokens"
            : format.Verify(blob.Span, first, tokens.Span, out content);
    }
}
