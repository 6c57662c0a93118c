using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Hearth.Actors.Transport;

/// <summary>Calls over TCP. To each peer one connection that all calls share, opened when it is needed, and further ones for bulk
/// calls, a call each while there are enough.</summary>
public sealed class TcpPeerNetwork : IPeerNetwork, IAsyncDisposable
{
    readonly PeerIdentity _identity;
    readonly TimeProvider _time;
    readonly PeerBuffers _buffers = new();
    readonly Lock _gate = new();
    readonly Dictionary<string, List<Line>> _lines = [];
    bool _disposed;

    public TcpPeerNetwork(PeerIdentity identity, TimeProvider time)
    {
        identity.Check();
        (_identity, _time) = (identity, time);
    }

    /// <summary>A connection, or the attempt to make one.</summary>
    sealed record Line(bool Bulk, Task<PeerConnection> Connected)
    {
        public bool IsGone => Connected.IsFaulted || (Connected.IsCompletedSuccessfully && Connected.Result.IsClosed);
        public int Calls => Connected.IsCompletedSuccessfully ? Connected.Result.Calls : 1;
    }

    /// <summary>Bytes of received messages that are not disposed of.</summary>
    public long BytesHeld => _buffers.LentBytes;

    public async ValueTask<PeerCall> OpenAsync(
        string address, string method, ReadOnlyMemory<byte> request, PeerCallOptions options, CancellationToken cancellationToken)
    {
        var begun = _time.GetTimestamp();
        while (true)
        {
            var connection = await FindLine(address, options.Bulk).Connected.WaitAsync(cancellationToken);
            var left = options.Deadline - _time.GetElapsedTime(begun);
            if (left <= TimeSpan.Zero)
                throw new PeerException(PeerFault.Deadline, $"{method} at {address}: the call's time is over before it began");
            // A connection that broke since has sent nothing: the next one is as good.
            if (await connection.OpenAsync(method, request, left, cancellationToken) is { } call)
                return call;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Line[] lines;
        lock (_gate)
        {
            _disposed = true;
            lines = [.. _lines.Values.SelectMany(l => l)];
            _lines.Clear();
        }
        foreach (var line in lines)
        {
            await ((Task)line.Connected).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (line.Connected.IsCompletedSuccessfully)
                line.Connected.Result.Fail("this process is stopping");
        }
    }

    Line FindLine(string address, bool bulk)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (!_lines.TryGetValue(address, out var lines))
            {
                foreach (var gone in _lines.Where(p => p.Value.All(l => l.IsGone)).Select(p => p.Key).ToArray())
                    _lines.Remove(gone);
                _lines.Add(address, lines = []);
            }
            Line? best = null;
            for (var i = lines.Count - 1; i >= 0; i--)
            {
                if (lines[i].IsGone)
                    lines.RemoveAt(i);
                else if (lines[i].Bulk == bulk && (best is null || lines[i].Calls < best.Calls))
                    best = lines[i];
            }
            if (best is null || (bulk && best.Calls > 0 && lines.Count <= Limits.PeerBulkConnectionsMax))
                lines.Add(best = new Line(bulk, ConnectAsync(address, bulk)));
            return best;
        }
    }

    async Task<PeerConnection> ConnectAsync(string address, bool bulk)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            using (var connecting = new CancellationTokenSource(Limits.PeerConnect, _time))
                await socket.ConnectAsync(ParseAddress(address), connecting.Token);
            using var greeting = new CancellationTokenSource(Limits.PeerHandshake, _time);
            var line = await PeerLine.AskAsync(socket, _identity.Tls, greeting.Token);
            var inbox = new PeerInbox(line, PeerConnection.InboxBytes(bulk));
            await PeerHandshake.AskAsync(line, inbox, _identity, bulk, greeting.Token);
            var connection = new PeerConnection(line, inbox, address, bulk, _buffers, _time, null);
            connection.Start();
            return connection;
        }
        catch (Exception e)
        {
            socket.Dispose();
            throw e switch
            {
                PeerException refused => new PeerException(refused.Fault, $"{address}: {refused.Message}", refused),
                AuthenticationException => new PeerException(PeerFault.Refused, $"{address}: TLS failed: {e.Message}", e),
                // The other side refuses a certificate after this one has taken it.
                IOException or PeerProtocolException when _identity.Tls is not null =>
                    new PeerException(PeerFault.Refused, $"{address}: TLS failed, or the peer has none: {e.Message}", e),
                OperationCanceledException => new PeerException(PeerFault.Unreachable, $"{address} does not answer", e),
                _ => new PeerException(PeerFault.Unreachable, $"{address}: {e.Message}", e),
            };
        }
    }

    static EndPoint ParseAddress(string address)
    {
        if (IPEndPoint.TryParse(address, out var endpoint) && endpoint.Port > 0)
            return endpoint;
        var colon = address.LastIndexOf(':');
        return colon > 0 && ushort.TryParse(address.AsSpan(colon + 1), out var port) && port > 0
            ? new DnsEndPoint(address[..colon], port)
            : throw new FormatException("a peer's address is host:port");
    }
}
