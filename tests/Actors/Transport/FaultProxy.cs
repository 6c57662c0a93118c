using System.Net;
using System.Net.Sockets;

namespace Hearth.Actors.Tests.Transport;

/// <summary>Passes bytes between a client and a server, badly when told to.</summary>
sealed class FaultProxy : IAsyncDisposable
{
    readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    readonly CancellationTokenSource _stop = new();
    readonly IPEndPoint _target;
    readonly Task _accepting;
    long _passed;

    public FaultProxy(IPEndPoint target)
    {
        _target = target;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        Address = _listener.LocalEndPoint!.ToString()!;
        _accepting = AcceptAsync();
    }

    public string Address { get; }

    /// <summary>Bytes to the server so far.</summary>
    public long Passed => Interlocked.Read(ref _passed);

    /// <summary>Swallows everything, like a cable that was cut.</summary>
    public volatile bool Swallow;

    /// <summary>One byte at a time.</summary>
    public volatile bool Drip;

    /// <summary>Closes both sides after so many bytes to the server.</summary>
    public long CutAfter { get; set; } = long.MaxValue;

    /// <summary>Changes the byte to the server at this place.</summary>
    public long CorruptAt { get; set; } = -1;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stop.Dispose();
    }

    async Task AcceptAsync()
    {
        var pumps = new List<Task>();
        try
        {
            while (true)
            {
                var client = await _listener.AcceptAsync(_stop.Token);
                var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await server.ConnectAsync(_target, _stop.Token);
                pumps.Add(PumpAsync(client, server, toServer: true));
                pumps.Add(PumpAsync(server, client, toServer: false));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(pumps);
        }
    }

    async Task PumpAsync(Socket from, Socket to, bool toServer)
    {
        var buffer = new byte[4096];
        try
        {
            while (true)
            {
                var received = await from.ReceiveAsync(Drip ? buffer.AsMemory(0, 1) : buffer, _stop.Token);
                if (received == 0)
                    break;
                if (Swallow)
                    continue;
                if (toServer)
                    received = Spoil(buffer.AsSpan(0, received));
                await to.SendAsync(buffer.AsMemory(0, received), _stop.Token);
                if (Passed >= CutAfter)
                    break;
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The other pump closed both.
        }
        from.Dispose();
        to.Dispose();
    }

    int Spoil(Span<byte> bytes)
    {
        var length = (int)Math.Min(bytes.Length, CutAfter - _passed);
        var place = CorruptAt - _passed;
        if (place >= 0 && place < length)
            bytes[(int)place] ^= 0x40;
        _passed += length;
        return length;
    }
}
