using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Hearth.Contracts;

namespace Hearth.Cluster.Bench;

/// <summary>An engine that notes when it gets a reply that was begun elsewhere, makes its first token of it, and lets go
/// of one.</summary>
sealed class TracedEngine(ITokenEngine inner, MoveTrace trace) : ITokenEngine
{
    public ModelCard Model => inner.Model;
    public EngineLoad Load => inner.Load;
    public bool IsFull => inner.IsFull;
    public int ChunkTokens => inner.ChunkTokens;
    public int BlockTokens => inner.BlockTokens;

    public TurnError TrySubmit(TokenRequest request, out ChannelReader<TokenChunk>? chunks)
    {
        var error = inner.TrySubmit(request, out chunks);
        if (chunks is not null)
            chunks = new TracedReader(chunks, trace, request.ReplyTokens > 0);
        if (request.ReplyTokens > 0)
            trace.Note(Mark.Submitted);
        return error;
    }

    public CacheInfo DescribeCache(CacheId cache) => inner.DescribeCache(cache);

    public ValueTask<CacheChunk?> ExportAsync(CacheId cache, int first, CancellationToken cancellationToken) =>
        inner.ExportAsync(cache, first, cancellationToken);

    public ValueTask<CacheChunk?> ExportInt8Async(CacheId cache, int first, CancellationToken cancellationToken) =>
        inner.ExportInt8Async(cache, first, cancellationToken);

    public ValueTask<string?> ImportAsync(CacheId cache, string scope, ReadOnlyMemory<int> tokens, int first,
        ReadOnlyMemory<byte> blob, CancellationToken cancellationToken) =>
        inner.ImportAsync(cache, scope, tokens, first, blob, cancellationToken);

    public ValueTask DropAsync(CacheId cache, CancellationToken cancellationToken) => inner.DropAsync(cache, cancellationToken);

    sealed class TracedReader(ChannelReader<TokenChunk> chunks, MoveTrace trace, bool isContinued) : ChannelReader<TokenChunk>
    {
        bool _isContinued = isContinued;

        public override bool TryRead([MaybeNullWhen(false)] out TokenChunk item)
        {
            var read = chunks.TryRead(out item);
            if (read && item.Kind == TokenChunkKind.Suspended)
                trace.Note(Mark.Held);
            if (read && _isContinued && item.Kind == TokenChunkKind.Token)
            {
                _isContinued = false;
                trace.Note(Mark.Computed);
            }
            return read;
        }

        public override ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken) =>
            chunks.WaitToReadAsync(cancellationToken);
    }
}
