namespace Hearth.Actors.Transport;

/// <summary>What a connection receives, for its one reader. Large payloads go straight to where they belong.</summary>
sealed class PeerInbox(PeerLine line, int bufferBytes)
{
    readonly byte[] _buffer = new byte[bufferBytes];
    int _start;
    int _end;
    int _arrivals;

    /// <summary>Grows whenever anything arrives.</summary>
    public int Arrivals => Volatile.Read(ref _arrivals);

    /// <summary>Waits for so many bytes, at most the buffer's, which stay valid until the next read; empty when the peer closed
    /// before the first of them.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(int count, CancellationToken cancellationToken)
    {
        if (_end - _start < count && _buffer.Length - _start < count)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }
        while (_end - _start < count)
        {
            var received = await line.ReceiveAsync(_buffer.AsMemory(_end), cancellationToken);
            if (received == 0 && _end == _start)
                return default;
            _end += Counted(received);
        }
        var read = _buffer.AsMemory(_start, count);
        _start += count;
        if (_start == _end)
            _start = _end = 0;
        return read;
    }

    public async ValueTask FillAsync(Memory<byte> target)
    {
        var buffered = Math.Min(target.Length, _end - _start);
        _buffer.AsMemory(_start, buffered).CopyTo(target);
        _start += buffered;
        if (_start == _end)
            _start = _end = 0;
        for (target = target[buffered..]; target.Length > 0;)
            target = target[Counted(await line.ReceiveAsync(target, CancellationToken.None))..];
    }

    public async ValueTask SkipAsync(int count)
    {
        while (count > 0)
        {
            var part = Math.Min(count, _buffer.Length);
            if ((await ReadAsync(part, CancellationToken.None)).IsEmpty)
                throw new PeerProtocolException("the connection ended within a frame");
            count -= part;
        }
    }

    int Counted(int received)
    {
        if (received == 0)
            throw new PeerProtocolException("the connection ended within a frame");
        Interlocked.Increment(ref _arrivals);
        return received;
    }
}
