using System.Collections.Concurrent;
using System.Diagnostics;
using Hearth.Actors.Transport;
using Hearth.Contracts;

namespace Hearth.Cluster.Bench;

/// <summary>A network that measures what moves send: from the first large message to the answer to the last one.</summary>
sealed class CopyMeter(IPeerNetwork inner) : IPeerNetwork
{
    const int Large = 64 << 10;

    /// <summary>Bytes and seconds of every move that sent at least two parts.</summary>
    public ConcurrentQueue<(long Bytes, double Seconds)> Moves { get; } = [];

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
            if (_unanswered.TryDequeue(out _))
                _last = Stopwatch.GetTimestamp();
            return message;
        }

        public override ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
        {
            if (message.Length >= Large)
            {
                if (_parts++ == 0)
                    _first = Stopwatch.GetTimestamp();
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
