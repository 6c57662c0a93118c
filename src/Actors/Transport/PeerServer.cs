using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Hearth.Actors.Transport;

public sealed record PeerServerOptions
{
    /// <summary>Port 0 takes a free one.</summary>
    public required IPEndPoint Listen { get; init; }

    public required PeerIdentity Identity { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;
}

/// <summary>Listens for the peers' calls and gives each to its method's handler.</summary>
public sealed class PeerServer : IAsyncDisposable
{
    readonly PeerServerOptions _options;
    readonly IReadOnlyDictionary<string, PeerHandler> _handlers;
    readonly PeerBuffers _buffers = new();
    readonly Socket _listener;
    readonly IPEndPoint _address;
    readonly CancellationTokenSource _stopping = new();
    readonly Lock _gate = new();
    readonly HashSet<PeerConnection> _connections = [];
    readonly Task _accepting;
    bool _stopped;
    int _sockets;

    PeerServer(PeerServerOptions options, IReadOnlyDictionary<string, PeerHandler> handlers, Socket listener)
    {
        (_options, _handlers, _listener) = (options, handlers, listener);
        _address = (IPEndPoint)listener.LocalEndPoint!;
        _accepting = AcceptAsync();
    }

    /// <summary>Where it listens, with the port it got.</summary>
    public IPEndPoint Address => _address;

    /// <summary>Bytes of received messages that are not disposed of.</summary>
    public long BytesHeld => _buffers.LentBytes;

    /// <exception cref="SocketException">The address cannot be listened on.</exception>
    public static Task<PeerServer> StartAsync(PeerServerOptions options, IReadOnlyDictionary<string, PeerHandler> handlers)
    {
        options.Identity.Check();
        var listener = new Socket(options.Listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.Bind(options.Listen);
            listener.Listen(512);
            return Task.FromResult(new PeerServer(options, handlers, listener));
        }
        catch
        {
            listener.Dispose();
            throw;
        }
    }

    /// <summary>Takes no more calls (callers see Unreachable), lets the running ones end, and after <paramref name="grace"/>
    /// cancels them.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        PeerConnection[] connections;
        lock (_gate)
        {
            _stopped = true;
            connections = [.. _connections];
        }
        foreach (var connection in connections)
            connection.Stop();
        await _stopping.CancelAsync();
        await _accepting;
        var ended = Task.WhenAll(connections.Select(c => c.Ended));
        await WaitAsync(ended, grace);
        foreach (var connection in connections)
            connection.Fail("the peer stopped");
        await WaitAsync(ended, Limits.PeerStop);
    }

    public async ValueTask DisposeAsync() => await StopAsync(TimeSpan.Zero);

    async Task WaitAsync(Task ended, TimeSpan atMost)
    {
        using var timeout = new CancellationTokenSource(atMost, _options.Time);
        await ended.WaitAsync(timeout.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    async Task AcceptAsync()
    {
        using (_listener)
        {
            while (!_stopping.IsCancellationRequested)
            {
                try
                {
                    var socket = await _listener.AcceptAsync(_stopping.Token);
                    _ = ServeAsync(socket);
                }
                catch (SocketException)
                {
                    // The one that came is gone again, or there are no descriptors: the next one may do.
                    await Task.Delay(Limits.PeerAcceptPause, _options.Time, _stopping.Token)
                        .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
                catch (OperationCanceledException)
                {
                    return;
                }
            }
        }
    }

    async Task ServeAsync(Socket socket)
    {
        var sockets = Interlocked.Increment(ref _sockets);
        try
        {
            const int Most = Limits.PeerConnectionsMax + Limits.PeerRefusalsMax;
            if (sockets <= Most && await GreetAsync(socket, sockets) is { } connection)
            {
                await connection.Ended;
                lock (_gate)
                    _connections.Remove(connection);
            }
        }
        finally
        {
            Interlocked.Decrement(ref _sockets);
            socket.Dispose();
        }
    }

    async Task<PeerConnection?> GreetAsync(Socket socket, int sockets)
    {
        try
        {
            socket.NoDelay = true;
            using var greeting = new CancellationTokenSource(Limits.PeerHandshake, _options.Time);
            var full = sockets > Limits.PeerConnectionsMax;
            var line = await PeerLine.AnswerAsync(socket, _options.Identity.Tls, greeting.Token);
            var hello = new PeerInbox(line, PeerHandshake.BytesMax);
            if (await PeerHandshake.AnswerAsync(line, hello, _options.Identity, full, greeting.Token) is not { } bulk)
                return null;
            var connection = new PeerConnection(
                line, new PeerInbox(line, PeerConnection.InboxBytes(bulk)), $"{socket.RemoteEndPoint}", bulk, _buffers,
                _options.Time, _handlers.GetValueOrDefault);
            lock (_gate)
            {
                if (_stopped)
                    return null;
                _connections.Add(connection);
            }
            connection.Start();
            return connection;
        }
        catch (Exception e) when (e is SocketException or IOException or AuthenticationException or PeerProtocolException
            or OperationCanceledException)
        {
            return null;
        }
    }
}
