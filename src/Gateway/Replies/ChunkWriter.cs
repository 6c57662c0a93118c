using System.Text.Json;

namespace Hearth.Gateway;

/// <summary>Writes the chunks of a turn's stream after a place in it, each with its own place when that is wanted.</summary>
sealed class ChunkWriter(SseWriter sse, bool withIds, StreamPosition after)
{
    int _event;
    int _part;

    /// <summary>What follows belongs to this event.</summary>
    public void At(int sequence) => (_event, _part) = (sequence, 0);

    /// <returns>Where to write the chunk's JSON before <see cref="End"/>; null if the client has this chunk.</returns>
    public Utf8JsonWriter? Begin(bool isLast) => StartFrame(isLast) ? sse.Begin() : null;

    public void End() => sse.End();

    /// <summary>The end of a complete stream: always the last of its event.</summary>
    public void Done()
    {
        StartFrame(isLast: true);
        sse.Done();
    }

    bool StartFrame(bool isLast)
    {
        var here = new StreamPosition(_event, isLast ? int.MaxValue : _part++);
        if (here.CompareTo(after) <= 0)
        {
            return false;
        }
        if (withIds)
        {
            sse.Id(here);
        }
        return true;
    }
}
