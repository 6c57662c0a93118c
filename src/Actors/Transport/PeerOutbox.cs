using System.Text;
using System.Threading.Channels;

namespace Hearth.Actors.Transport;

/// <summary>What a connection sends. Small frames are copied and leave together, by whoever finds the socket free; a large one
/// leaves from its caller's memory, after what waited before it.</summary>
sealed class PeerOutbox(PeerLine line, Action<Exception> failed)
{
    readonly Lock _gate = new();

    // Whoever could write into it has the socket.
    readonly Channel<bool> _turn = Channel.CreateBounded<bool>(1);
    byte[] _filling = new byte[4 << 10];
    byte[] _leaving = new byte[4 << 10];
    int _filled;

    /// <summary>Sends a frame that must not wait; the connection fails when too many of them do.</summary>
    public void Post(PeerFrame frame, ReadOnlySpan<byte> payload = default)
    {
        if (!TryQueue(frame, payload, Limits.PeerControlBytesMax))
            failed(new PeerProtocolException("the peer does not read"));
        Flush();
    }

    /// <summary>Tells the other side that a call is broken, and why.</summary>
    public void PostAbort(uint call, PeerFault fault, string why)
    {
        Span<byte> text = stackalloc byte[Limits.PeerErrorBytesMax];
        // A character has three bytes at most.
        Encoding.UTF8.TryGetBytes(why.AsSpan(0, Math.Min(why.Length, text.Length / 3)), text, out var length);
        Post(new(PeerFrameKind.Abort, call, length, (uint)fault), text[..length]);
    }

    /// <summary>Puts a frame before the next one.</summary>
    public bool TryQueue(PeerFrame frame, ReadOnlySpan<byte> payload, int queuedMax = Limits.PeerQueuedBytesMax)
    {
        lock (_gate)
        {
            var needed = _filled + frame.Cost;
            if (needed > queuedMax)
                return false;
            if (needed > _filling.Length)
                Array.Resize(ref _filling, Math.Max(needed, 2 * _filling.Length));
            frame.Write(_filling.AsSpan(_filled));
            payload.CopyTo(_filling.AsSpan(_filled + PeerFrame.Bytes));
            _filled = needed;
            return true;
        }
    }

    /// <summary>Sends a frame; the memory is free on return.</summary>
    public ValueTask SendAsync(PeerFrame frame, ReadOnlyMemory<byte> payload)
    {
        if (payload.Length > Limits.PeerCopiedBytesMax || !TryQueue(frame, payload.Span))
            return SendInTurnAsync(frame, payload);
        Flush();
        return ValueTask.CompletedTask;
    }

    /// <summary>Ends this direction after everything queued.</summary>
    public async Task CloseAsync()
    {
        await _turn.Writer.WriteAsync(true);
        try
        {
            await WriteAsync(Take(null));
            await line.CloseAsync();
        }
        catch (Exception e)
        {
            failed(e);
        }
        finally
        {
            _turn.Reader.TryRead(out _);
        }
    }

    async ValueTask SendInTurnAsync(PeerFrame frame, ReadOnlyMemory<byte> payload)
    {
        await _turn.Writer.WriteAsync(true);
        try
        {
            await WriteAsync(Take(frame));
            await WriteAsync(payload);
        }
        catch (Exception e)
        {
            failed(e);
        }
        finally
        {
            _turn.Reader.TryRead(out _);
        }
        if (Volatile.Read(ref _filled) > 0)
            Flush();
    }

    void Flush()
    {
        if (_turn.Writer.TryWrite(true))
            _ = FlushInTurnAsync();
    }

    async Task FlushInTurnAsync()
    {
        try
        {
            await WriteAsync(Take(null));
            while (Volatile.Read(ref _filled) > 0)
            {
                // The caller who came first goes back to its work; what the others add meanwhile leaves in one write.
                await Task.Yield();
                await WriteAsync(Take(null));
            }
        }
        catch (Exception e)
        {
            failed(e);
        }
        finally
        {
            _turn.Reader.TryRead(out _);
        }
        if (Volatile.Read(ref _filled) > 0)
            Flush();
    }

    /// <summary>Everything queued, and the head of the frame whose payload follows.</summary>
    ReadOnlyMemory<byte> Take(PeerFrame? last)
    {
        lock (_gate)
        {
            if (last is { } frame)
            {
                if (_filled + PeerFrame.Bytes > _filling.Length)
                    Array.Resize(ref _filling, _filled + PeerFrame.Bytes);
                frame.Write(_filling.AsSpan(_filled));
                _filled += PeerFrame.Bytes;
            }
            var taken = _filling.AsMemory(0, _filled);
            (_filling, _leaving) = (_leaving, _filling);
            _filled = 0;
            return taken;
        }
    }

    ValueTask WriteAsync(ReadOnlyMemory<byte> bytes) =>
        bytes.Length > 0 ? line.SendAsync(bytes, CancellationToken.None) : ValueTask.CompletedTask;
}
