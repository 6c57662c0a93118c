using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;

namespace Hearth.Actors.Storage.Redis;

/// <summary>Asks a server that cannot be used why, in its own words, which the library does not pass on.</summary>
static class RedisProbe
{
    const int ReplyLengthMax = 512;
    const string HangsUp = "it hangs up: does it speak TLS (ssl=true), and ask for a certificate (sslCert=…, sslKey=…)?";

    /// <returns>What to do about it.</returns>
    public static async Task<string> AskAsync(RedisAddress redis, CancellationToken cancellationToken)
    {
        var reason = "is it running, and is the address right?";
        foreach (var address in redis.Options.EndPoints)
        {
            try
            {
                var words = await ExchangeAsync(address, redis, cancellationToken);
                reason = RedisErrors.AdviceFor(words) ?? (words.Length > 0 ? $"it answered '{words}'." : HangsUp);
            }
            catch (AuthenticationException e)
            {
                reason = $"TLS failed: {e.Message}";
            }
            catch (IOException e)
            {
                reason = $"{HangsUp} ({RedisAddress.Text(address)}: {e.Message})";
            }
            catch (SocketException e)
            {
                reason += $" ({RedisAddress.Text(address)}: {e.Message})";
            }
        }
        return reason;
    }

    /// <summary>The first error, or the last answer; empty if it hung up.</summary>
    static async Task<string> ExchangeAsync(EndPoint address, RedisAddress redis, CancellationToken cancellationToken)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(address, cancellationToken);
        await using var plain = new NetworkStream(socket);
        var tls = redis.TlsFor(address);
        await using var secure = tls is null ? null : new SslStream(plain);
        if (secure is not null)
            await secure.AuthenticateAsClientAsync(tls!, cancellationToken);
        var stream = (Stream?)secure ?? plain;
        string[][] commands = redis.Options.Password is { Length: > 0 } password ? [["AUTH", password], ["PING"]] : [["PING"]];
        var reply = "";
        foreach (var command in commands)
        {
            var words = command.Select(w => $"${Encoding.UTF8.GetByteCount(w)}\r\n{w}\r\n");
            await stream.WriteAsync(Encoding.UTF8.GetBytes($"*{command.Length}\r\n{string.Concat(words)}"), cancellationToken);
            reply = await LineAsync(stream, cancellationToken);
            if (reply.StartsWith('-'))
                return reply[1..];
        }
        return reply;
    }

    static async Task<string> LineAsync(Stream stream, CancellationToken cancellationToken)
    {
        var line = new StringBuilder();
        var next = new byte[1];
        while (line.Length < ReplyLengthMax && await stream.ReadAsync(next, cancellationToken) == 1 && next[0] != '\n')
            line.Append((char)next[0]);
        return line.ToString().TrimEnd('\r');
    }
}
