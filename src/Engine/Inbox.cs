using Hearth.Engine.Memory;
using Hearth.Engine.Scheduling;

namespace Hearth.Engine;

/// <summary>What may be asked of the engine's thread.</summary>
abstract record EngineMessage
{
    public sealed record Submitted(Sequence Sequence) : EngineMessage;

    public sealed record Restored(RestoreJob Job) : EngineMessage;
}

/// <summary>The bounded door to the engine's thread, which waits at it when it has nothing to run.</summary>
sealed class Inbox(int capacity)
{
    readonly Queue<EngineMessage> _messages = new();
    readonly object _gate = new();
    bool _woken;
    bool _closed;

    public bool IsClosed
    {
        get
        {
            lock (_gate)
            {
                return _closed;
            }
        }
    }

    /// <returns>False when full or closed.</returns>
    public bool TryPost(EngineMessage message)
    {
        lock (_gate)
        {
            if (_closed || _messages.Count == capacity)
            {
                return false;
            }

            _messages.Enqueue(message);
            Monitor.Pulse(_gate);
            return true;
        }
    }

    /// <summary>Lets the thread look at its sequences again.</summary>
    public void Wake()
    {
        lock (_gate)
        {
            _woken = true;
            Monitor.Pulse(_gate);
        }
    }

    public bool TryTake(out EngineMessage? message)
    {
        lock (_gate)
        {
            return _messages.TryDequeue(out message);
        }
    }

    /// <summary>Returns when there is a message, or was a wake since the last wait, or the inbox closes.</summary>
    public void Wait()
    {
        lock (_gate)
        {
            while (!_woken && !_closed && _messages.Count == 0)
            {
                Monitor.Wait(_gate);
            }

            _woken = false;
        }
    }

    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            Monitor.Pulse(_gate);
        }
    }
}
