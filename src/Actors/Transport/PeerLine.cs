using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Hearth.Actors.Transport;

/// <summary>A connected socket, with TLS if the cluster has it: one reader and one writer at a time.</summary>
sealed class PeerLine : IDisposable
{
    readonly Socket _socket;
    readonly SslStream? _tls;

    PeerLine(Socket socket, SslStream? tls) => (_socket, _tls) = (socket, tls);

    /// <summary>The side that called.</summary>
    /// <exception cref="AuthenticationException">The peer has no certificate of the cluster.</exception>
    public static async Task<PeerLine> AskAsync(Socket socket, PeerTls? tls, CancellationToken cancellationToken) =>
        new(socket, tls is null ? null : await tls.AskAsync(new NetworkStream(socket), cancellationToken));

    /// <summary>The side that was called.</summary>
    /// <exception cref="AuthenticationException">The caller has no certificate of the cluster.</exception>
    public static async Task<PeerLine> AnswerAsync(Socket socket, PeerTls? tls, CancellationToken cancellationToken) =>
        new(socket, tls is null ? null : await tls.AnswerAsync(new NetworkStream(socket), cancellationToken));

    public ValueTask<int> ReceiveAsync(Memory<byte> into, CancellationToken cancellationToken) => _tls is null
        ? _socket.ReceiveAsync(into, SocketFlags.None, cancellationToken)
        : _tls.ReadAsync(into, cancellationToken);

    public async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (_tls is not null)
        {
            await _tls.WriteAsync(bytes, cancellationToken);
            return;
        }
        while (bytes.Length > 0)
            bytes = bytes[await _socket.SendAsync(bytes, SocketFlags.None, cancellationToken)..];
    }

    /// <summary>Ends this direction.</summary>
    public async Task CloseAsync()
    {
        if (_tls is not null)
            await _tls.ShutdownAsync();
        _socket.Shutdown(SocketShutdown.Send);
    }

    public void Dispose()
    {
        // The socket first: it ends what waits in the other.
        _socket.Dispose();
        _tls?.Dispose();
    }
}
