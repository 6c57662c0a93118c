using System.Collections.Concurrent;
using System.Threading.Channels;
using Hearth.Actors.Transport;

namespace Hearth.Gateway.Tests.Cluster;

/// <summary>A network within a test: who has no handler is unreachable, and lines can be cut.</summary>
sealed class FakePeers : IPeerNetwork
{
    readonly ConcurrentDictionary<string, PeerHandler> _handlers = new();
    readonly ConcurrentDictionary<Line, string> _lines = new();

    public void Serve(string address, PeerHandler handler) => _handlers[address] = handler;

    /// <summary>As when its process is killed.</summary>
    public void Kill(string address)
    {
        _handlers.TryRemove(address, out _);
        Cut(address);
    }

    /// <summary>Breaks the calls that are open, no more.</summary>
    public void Cut(string address)
    {
        foreach (var (line, to) in _lines)
        {
            if (to == address)
            {
                line.Break(PeerFault.Lost, PeerFault.Lost);
            }
        }
    }

    public async ValueTask<PeerCall> OpenAsync(string address, string method, ReadOnlyMemory<byte> request, PeerCallOptions options,
        CancellationToken cancellationToken)
    {
        await Task.Yield();
        cancellationToken.ThrowIfCancellationRequested();
        if (!_handlers.TryGetValue(address, out var handler))
        {
            throw new PeerException(PeerFault.Unreachable, $"{address} is not there");
        }
        var line = new Line(method, request.ToArray());
        _lines[line] = address;
        _ = HandleAsync(line, handler, options.Deadline);
        return line.Caller;
    }

    async Task HandleAsync(Line line, PeerHandler handler, TimeSpan? deadline)
    {
        using var timer = deadline is { } after
            ? TimeProvider.System.CreateTimer(_ => line.Break(PeerFault.Deadline, PeerFault.Deadline), null, after, Timeout.InfiniteTimeSpan)
            : null;
        var stop = new CancellationTokenSource();
        _ = line.Broken.ContinueWith(_ => stop.Cancel(), TaskScheduler.Default);
        try
        {
            await handler(line.Callee, stop.Token);
            await line.Callee.CompleteAsync(CancellationToken.None);
        }
        catch (Exception e) when (e is OperationCanceledException or PeerException)
        {
            line.Break(PeerFault.Failed, PeerFault.Aborted);
        }
        _lines.TryRemove(line, out _);
    }

    sealed class Line
    {
        readonly Channel<byte[]> _up = Channel.CreateBounded<byte[]>(64);
        readonly Channel<byte[]> _down = Channel.CreateBounded<byte[]>(64);
        readonly TaskCompletionSource _broken = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Line(string method, byte[] request)
        {
            Caller = new Side(this, method, request, _down.Reader, _up.Writer);
            Callee = new Side(this, method, request, _up.Reader, _down.Writer);
        }

        public PeerCall Caller { get; }
        public PeerCall Callee { get; }
        public Task Broken => _broken.Task;

        public void Break(PeerFault forCaller, PeerFault forCallee)
        {
            _down.Writer.TryComplete(new PeerException(forCaller, "the call broke"));
            _up.Writer.TryComplete(new PeerException(forCallee, "the call broke"));
            _broken.TrySetResult();
        }
    }

    sealed class Side(Line line, string method, byte[] request, ChannelReader<byte[]> from, ChannelWriter<byte[]> to) : PeerCall
    {
        public override string Method => method;
        public override ReadOnlyMemory<byte> Request => request;

        public override async ValueTask<PeerMessage?> ReceiveAsync(CancellationToken cancellationToken)
        {
            while (await from.WaitToReadAsync(cancellationToken))
            {
                if (from.TryRead(out var message))
                {
                    return new PeerMessage(message, null);
                }
            }
            return null;
        }

        public override async ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
        {
            try
            {
                await to.WriteAsync(message.ToArray(), cancellationToken);
            }
            catch (ChannelClosedException e)
            {
                throw e.InnerException as PeerException ?? new PeerException(PeerFault.Aborted, "the other side left");
            }
        }

        public override ValueTask CompleteAsync(CancellationToken cancellationToken)
        {
            to.TryComplete();
            return ValueTask.CompletedTask;
        }

        public override ValueTask DisposeAsync()
        {
            line.Break(PeerFault.Aborted, PeerFault.Aborted);
            return ValueTask.CompletedTask;
        }
    }
}
