using Hearth.Contracts;
using Hearth.Engine.Memory;

namespace Hearth.Engine;

/// <summary>Lets parts of caches out and in. Copying, hashing and checking are the caller's time: the engine's thread only says
/// which blocks, and goes on. A place at the door is held until that thread has done with the last message of it.</summary>
sealed class CacheTransfers(KvMemory memory, KvBlob format, Inbox inbox, int contextLength) : IAsyncDisposable
{
    public const string Stopped = "the engine stops";

    readonly SemaphoreSlim _door = new(Limits.CommandsMax);

    public async ValueTask<CacheChunk?> ExportAsync(CacheId cache, int first, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfNotEqual(first % memory.BlockTokens, 0, nameof(first));
        var answer = new TaskCompletionSource<CachePin?>(TaskCreationOptions.RunContinuationsAsynchronously);
        await _door.WaitAsync(cancellationToken);
        if (!inbox.TryPost(new EngineMessage.Pin(cache, first, answer)) || await answer.Task is not { } pin)
        {
            _door.Release();
            return null;
        }

        try
        {
            var blob = GC.AllocateUninitializedArray<byte>(format.SizeOf(pin.Tokens.Length - first));
            memory.Read(pin, KvBlob.Payload(blob));
            format.Seal(blob, first, pin.Tokens.Span);
            return new CacheChunk(first, pin.Tokens.Length - first, blob);
        }
        finally
        {
            if (pin.Blocks.Length == 0 || !inbox.TryPost(new EngineMessage.Unpin(pin, () => _door.Release())))
            {
                _door.Release();
            }
        }
    }

    public async ValueTask<string?> ImportAsync(CacheId cache, string scope, ReadOnlyMemory<int> tokens, int first,
        ReadOnlyMemory<byte> blob, CancellationToken cancellationToken)
    {
        if (Check(tokens, first, blob) is { } wrong)
        {
            return wrong;
        }

        var payload = blob[KvBlob.HeaderBytes..^KvBlob.TrailerBytes];
        var job = new ImportJob(memory.Create(cache, scope, new TokenList(tokens.Span, 0)), first, payload);
        await _door.WaitAsync(cancellationToken);
        try
        {
            return await ImportAsync(job);
        }
        finally
        {
            _door.Release();
        }
    }

    public async ValueTask DropAsync(CacheId cache, CancellationToken cancellationToken)
    {
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await _door.WaitAsync(cancellationToken);
        try
        {
            if (inbox.TryPost(new EngineMessage.Drop(cache, answer)))
            {
                await answer.Task;
            }
        }
        finally
        {
            _door.Release();
        }
    }

    /// <summary>After the engine's thread has ended: returns when nobody copies any more.</summary>
    public async ValueTask DisposeAsync()
    {
        for (var i = 0; i < Limits.CommandsMax; i++)
        {
            await _door.WaitAsync();
        }

        _door.Release(Limits.CommandsMax);
    }

    string? Check(ReadOnlyMemory<int> tokens, int first, ReadOnlyMemory<byte> blob)
    {
        var count = tokens.Length - first;
        return first < 0 || first % memory.BlockTokens != 0 ? $"a part begins at a multiple of {memory.BlockTokens} tokens"
            : count <= 0 || count > Limits.ChunkTokens ? $"a part has 1 to {Limits.ChunkTokens} tokens"
            : tokens.Length > contextLength ? $"the context is {contextLength} tokens"
            : format.Verify(blob.Span, first, tokens.Span);
    }

    async Task<string?> ImportAsync(ImportJob job)
    {
        if (!inbox.TryPost(new EngineMessage.Import(job)))
        {
            return Stopped;
        }

        if (await job.Begun.Task is { } refused)
        {
            return refused;
        }

        if (!job.Ended.Task.IsCompleted)
        {
            memory.Write(job);
            if (!inbox.TryPost(new EngineMessage.Imported(job)))
            {
                return Stopped;
            }
        }

        return await job.Ended.Task;
    }
}
