using System.Collections.Concurrent;
using System.Diagnostics;
using Hearth.Actors.Transport;
using Hearth.Contracts;

namespace Hearth.Cluster.Bench;

/// <summary>A network that measures what moves send ahead, from the target's consent to its answer to the last part, and notes
/// what they have come to. The rest that is sent while the conversation is held counts as pause.</summary>
sealed class CopyMeter(IPeerNetwork inner, MoveTrace trace) : IPeerNetwork
{
    const int Large = 64 << 10;

    /// <summary>Bytes and seconds of every move that sent at least two parts ahead.</summary>
    ConcurrentQueue<(long Bytes, double Seconds)> Moves { get; } = [];

    MoveTrace Trace => trace;

    /// <summary>Those since the last time.</summary>
    public List<(long Bytes, double Seconds)> Take()
    {
        var taken = new List<(long, double)>();
        while (Moves.TryDequeue(out var move))
            taken.Add(move);
        return taken;
    }

    public async ValueTask<PeerCall> OpenAsync(string address, string method, ReadOnlyMemory<byte> request,
        PeerCallOptions options, CancellationToken cancellationToken)
    {
        var call = await inner.OpenAsync(address, method, request, options, cancellationToken);
        return method == PeerMethods.MoveIn ? new MeteredCall(call, this) : call;
    }

    sealed class MeteredCall(PeerCall call, CopyMeter meter) : PeerCall
    {
        readonly Queue<bool> _unanswered = [];
        long _bytes;
        long _first;
        long _last;
        int _parts;

        public override string Method => call.Method;
        public override ReadOnlyMemory<byte> Request => call.Request;

        public override async ValueTask<PeerMessage?> ReceiveAsync(CancellationToken cancellationToken)
        {
            var message = await call.ReceiveAsync(cancellationToken);
            if (_first == 0)
                _first = Stopwatch.GetTimestamp();
            if (_unanswered.TryDequeue(out _))
                _last = Stopwatch.GetTimestamp();
            if (message?.Memory.Span.IndexOf("\"activation\""u8) > 0)
                meter.Trace.Note(Mark.Ready);
            return message;
        }

        public override ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
        {
            if (message.Span.StartsWith("{\"state\""u8))
                meter.Trace.Note(Mark.State);
            if (message.Span.StartsWith("{\"commit\""u8))
                meter.Trace.Note(Mark.Owned);
            if (message.Length >= Large && !meter.Trace.IsHeld)
            {
                _parts++;
                _bytes += message.Length;
                _unanswered.Enqueue(true);
            }
            return call.SendAsync(message, cancellationToken);
        }

        public override ValueTask CompleteAsync(CancellationToken cancellationToken) => call.CompleteAsync(cancellationToken);

        public override ValueTask DisposeAsync()
        {
            if (_parts > 1)
                meter.Moves.Enqueue((_bytes, Stopwatch.GetElapsedTime(_first, _last).TotalSeconds));
            return call.DisposeAsync();
        }
    }
}
