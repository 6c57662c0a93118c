using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Hearth.Contracts;

namespace Hearth.Engine.Scheduling;

/// <summary>A reply's reading end; tells the loop when a reader that was behind takes a chunk.</summary>
sealed class ChunkReader(Sequence sequence, Action wake) : ChannelReader<TokenChunk>
{
    readonly ChannelReader<TokenChunk> _chunks = sequence.Chunks;

    public override Task Completion => _chunks.Completion;
    public override bool CanCount => true;
    public override int Count => _chunks.Count;

    public override bool TryRead([MaybeNullWhen(false)] out TokenChunk item)
    {
        if (!_chunks.TryRead(out item))
        {
            return false;
        }

        if (sequence.IsPaused)
        {
            wake();
        }

        return true;
    }

    public override bool TryPeek([MaybeNullWhen(false)] out TokenChunk item) => _chunks.TryPeek(out item);

    public override ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default) =>
        _chunks.WaitToReadAsync(cancellationToken);
}
