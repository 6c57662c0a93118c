using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;

namespace Hearth.Actors.Storage.Redis.Blobs;

/// <summary>Where cache chunks are kept, as the same words say it that StackExchange.Redis reads:
/// <c>host:port[,password=…][,user=…][,ssl=true]</c>; of several servers the first that answers is taken.</summary>
sealed record BlobServer(IReadOnlyList<(string Host, int Port)> Servers, string? User, string? Password, bool Tls)
{
    const int PortDefault = 6379;

    /// <exception cref="StoreException">The text names no server.</exception>
    public static BlobServer Parse(string text)
    {
        List<(string, int)> servers = [];
        var (user, password, tls) = ((string?)null, (string?)null, false);
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var at = part.IndexOf('=', StringComparison.Ordinal);
            var (name, value) = at < 0 ? ("", part) : (part[..at].ToLowerInvariant(), part[(at + 1)..]);
            switch (name)
            {
                case "":
                    servers.Add(Address(value));
                    break;
                case "user":
                    user = value;
                    break;
                case "password":
                    password = value;
                    break;
                case "ssl":
                    tls = value.Equals("true", StringComparison.OrdinalIgnoreCase);
                    break;
            }
        }
        return servers.Count > 0
            ? new BlobServer(servers, user, password, tls)
            : throw new StoreException($"'{text}' names no Redis server: give host:port.");
    }

    public BlobServer At(string address) => this with { Servers = [Address(address)] };

    /// <summary>Connects, blocking; reads and writes wait no longer than the timeout.</summary>
    public (Socket Socket, Stream Stream) Connect(TimeSpan timeout)
    {
        for (var i = 0; ; i++)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp)
            {
                NoDelay = true,
                SendBufferSize = Limits.BlobSocketBytes,
                ReceiveBufferSize = Limits.BlobSocketBytes,
                SendTimeout = (int)timeout.TotalMilliseconds,
                ReceiveTimeout = (int)timeout.TotalMilliseconds,
            };
            try
            {
                socket.Connect(Servers[i].Host, Servers[i].Port);
                var stream = new NetworkStream(socket, ownsSocket: true);
                return (socket, Tls ? Secure(stream, Servers[i].Host) : stream);
            }
            catch (Exception e)
            {
                socket.Dispose();
                if (e is not SocketException || i + 1 == Servers.Count)
                    throw;
            }
        }
    }

    static SslStream Secure(NetworkStream plain, string host)
    {
        var tls = new SslStream(plain);
        tls.AuthenticateAsClient(new SslClientAuthenticationOptions { TargetHost = host });
        return tls;
    }

    static (string, int) Address(string text)
    {
        var colon = text.LastIndexOf(':');
        if (colon < 0)
            return (text, PortDefault);
        return int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            ? (text[..colon].Trim('[', ']'), port)
            : throw new StoreException($"'{text}' is no address of a Redis server: give host:port.");
    }
}
