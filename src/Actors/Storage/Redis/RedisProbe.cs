using System.Net;
using System.Net.Sockets;
using System.Text;
using StackExchange.Redis;

namespace Hearth.Actors.Storage.Redis;

/// <summary>Asks a server that cannot be used why, in its own words, which the library does not pass on.</summary>
static class RedisProbe
{
    const int ReplyLengthMax = 512;

    /// <returns>What to do about it.</returns>
    public static async Task<string> AskAsync(ConfigurationOptions options, CancellationToken cancellationToken)
    {
        if (options.Ssl)
            return "is it running, with TLS, and is the address right?";
        var reason = "is it running, and is the address right?";
        foreach (var address in options.EndPoints)
        {
            try
            {
                var words = await ExchangeAsync(address, options.Password, cancellationToken);
                reason = RedisErrors.AdviceFor(words) ?? $"it answered '{words}'.";
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                reason += $" ({Text(address)}: {e.Message})";
            }
        }
        return reason;
    }

    public static string Text(EndPoint address) => address is DnsEndPoint dns ? $"{dns.Host}:{dns.Port}" : $"{address}";

    /// <summary>The first error, or the last answer.</summary>
    static async Task<string> ExchangeAsync(EndPoint address, string? password, CancellationToken cancellationToken)
    {
        var (host, port) = address switch
        {
            DnsEndPoint dns => (dns.Host, dns.Port),
            IPEndPoint ip => (ip.Address.ToString(), ip.Port),
            _ => throw new IOException($"{address} is not an address of TCP."),
        };
        using var client = new TcpClient();
        await client.ConnectAsync(host, port, cancellationToken);
        var stream = client.GetStream();
        string[][] commands = string.IsNullOrEmpty(password) ? [["PING"]] : [["AUTH", password], ["PING"]];
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

    static async Task<string> LineAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        var line = new StringBuilder();
        var next = new byte[1];
        while (line.Length < ReplyLengthMax && await stream.ReadAsync(next, cancellationToken) == 1 && next[0] != '\n')
            line.Append((char)next[0]);
        return line.ToString().TrimEnd('\r');
    }
}
