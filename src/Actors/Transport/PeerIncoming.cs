namespace Hearth.Actors.Transport;

/// <summary>What comes in on one call: whole messages that wait for their reader, the one that is coming, and how much more may
/// come. Its call locks it.</summary>
sealed class PeerIncoming(int window, PeerBuffers buffers)
{
    readonly Queue<PeerBuffer> _arrived = new();
    PeerBuffer? _coming;
    int _filled;
    bool _filling;

    // Bytes of frames: what came, what was read, and what the other side was told that it may send in all.
    long _received;
    long _read;
    long _allowed = window;

    public bool IsWithinMessage => _coming is not null;

    /// <summary>Where the frame's payload belongs; null when there is no room for its message.</summary>
    /// <exception cref="PeerProtocolException">It may not come now.</exception>
    public Memory<byte>? Begin(PeerFrame frame)
    {
        _received += frame.Cost;
        if (_received > _allowed)
            throw new PeerProtocolException("more was sent than there was credit for");
        if (_coming is null == (frame.Kind == PeerFrameKind.More) || (_coming is not null && frame.Argument != _filled))
            throw new PeerProtocolException("a part at the wrong place");
        if (_coming is null)
            (_coming, _filled) = (buffers.TryRent((int)frame.Argument), 0);
        if (_coming is null)
            return null;
        if (frame.Length > _coming.Length - _filled)
            throw new PeerProtocolException("a message longer than it said");
        _filling = true;
        _coming.Cost += frame.Cost;
        return _coming.Memory.Slice(_filled, frame.Length);
    }

    /// <summary>The payload is there: with its last part the message is returned.</summary>
    public PeerBuffer? End(int length)
    {
        _filling = false;
        _filled += length;
        if (_filled < _coming!.Length)
            return null;
        var message = _coming;
        _coming = null;
        return message;
    }

    public void Keep(PeerBuffer message) => _arrived.Enqueue(message);

    public PeerBuffer? Take()
    {
        if (_arrived.TryDequeue(out var message))
            Read(message);
        return message;
    }

    public void Read(PeerBuffer message) => _read += message.Cost;

    /// <summary>How much more the other side may be told to send, if it is worth a frame. Read messages give back what they took.
    /// A large message is let in whole when no other is unread: its reader can do nothing before it is complete.</summary>
    public uint TakeCredit()
    {
        var room = _read + window;
        if (_arrived.Count == 0 && _coming?.Length > window / 2)
            room += _coming.Cost;
        var credit = room - _allowed;
        if (credit < window / 4)
            return 0;
        _allowed = room;
        return (uint)credit;
    }

    /// <summary>Gives the memory back, but for what the connection's reader is writing to: it calls again after that.</summary>
    public void Drop()
    {
        while (_arrived.TryDequeue(out var message))
            message.Dispose();
        if (_filling)
            return;
        _coming?.Dispose();
        _coming = null;
    }
}
