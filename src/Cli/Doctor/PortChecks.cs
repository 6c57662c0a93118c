using System.Net;
using System.Net.Sockets;
using Hearth.Actors.Transport;
using Hearth.Gateway;
using Microsoft.AspNetCore.Http;

namespace Hearth.Cli.Doctor;

/// <summary>Whether the ports are free, or taken by the very process that is asked about, and whether others are led to
/// them.</summary>
sealed class PortChecks(Findings findings, TimeProvider time)
{
    static readonly TimeSpan _patience = TimeSpan.FromSeconds(1);

    /// <summary>Addresses of the API, of probes or of gRPC.</summary>
    public async Task UrlsAsync(string check, GatewayOptions options, CancellationToken cancellationToken)
    {
        foreach (var fault in options.Validate().Where(f => f.StartsWith("Urls", StringComparison.Ordinal)
            || f.StartsWith("GrpcUrls", StringComparison.Ordinal)))
        {
            findings.Fail(check, fault, "--urls http://HOST:PORT; --api-key-file FILE, or --allow-anonymous");
            return;
        }
        foreach (var url in options.Urls)
            await UrlAsync(check, url, isGrpc: false, cancellationToken);
        foreach (var url in options.GrpcUrls)
            await UrlAsync(check, url, isGrpc: true, cancellationToken);
    }

    async Task UrlAsync(string check, string url, bool isGrpc, CancellationToken cancellationToken)
    {
        var address = BindingAddress.Parse(url);
        var host = address.Host switch
        {
            "localhost" => IPAddress.Loopback,
            var name when IPAddress.TryParse(name.Trim('[', ']'), out var ip) => ip,
            _ => IPAddress.Any,
        };
        switch (TryListen(new IPEndPoint(host, address.Port)))
        {
            case null:
                findings.Ok(check, $"{url} is free");
                break;
            case SocketError.AddressAlreadyInUse when isGrpc || await ServesAsync(host, address.Port, cancellationToken):
                findings.Ok(
                    check, isGrpc ? $"{url} is in use: by this gateway, if it runs" : $"{url} is served by Hearth already");
                break;
            case { } error:
                findings.Fail(check, $"{url}: {Words(error)}", Remedy(error, "--urls"));
                break;
        }
    }

    /// <summary>Where the others of the cluster reach this silo.</summary>
    public async Task PeersAsync(IPEndPoint listen, string? advertise, PeerIdentity identity, CancellationToken cancellationToken)
    {
        using var listener = new TcpListener(listen);
        if (Start(listener) is { } error)
        {
            var where = listen.Address.Equals(IPAddress.Any) ? new IPEndPoint(IPAddress.Loopback, listen.Port) : listen;
            if (error != SocketError.AddressAlreadyInUse)
                findings.Fail("listen", $"{listen}: {Words(error)}", Remedy(error, "--listen"));
            else if (await GreetAsync(advertise ?? $"{where}", identity, cancellationToken) is { } refusal)
                findings.Fail("listen", $"{listen} is in use, by no silo of this cluster: {refusal}", Remedy(error, "--listen"));
            else
                findings.Ok("listen", $"{advertise ?? listen.ToString()} leads to a silo of this cluster, which runs already");
            return;
        }
        findings.Ok("listen", $"{listen} is free");
        if (advertise is not null)
        {
            await AdvertiseAsync(advertise, listener, cancellationToken);
        }
        else if (IPAddress.IsLoopback(listen.Address))
        {
            findings.Warn("advertise",
                $"{listen.Address} leads nowhere from other machines: only processes of this one reach the silo",
                "--listen 0.0.0.0:7070 --advertise HOST:7070, if the cluster has several machines");
        }
    }

    async Task AdvertiseAsync(string advertise, TcpListener listener, CancellationToken cancellationToken)
    {
        const string Name = "advertise";
        var colon = advertise.LastIndexOf(':');
        if (colon <= 0 || !ushort.TryParse(advertise.AsSpan(colon + 1), out var port) || port == 0)
        {
            findings.Fail(Name, $"'{advertise}' is no address", "--advertise HOST:PORT, as the other machines reach this one");
            return;
        }
        using var patience = new CancellationTokenSource(_patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            var addresses = await Dns.GetHostAddressesAsync(advertise[..colon].Trim('[', ']'), either.Token);
            using var client = new TcpClient();
            var accepted = listener.AcceptTcpClientAsync(either.Token).AsTask();
            await client.ConnectAsync(addresses, port, either.Token);
            using var server = await accepted;
            findings.Ok(Name, $"{advertise} leads to this machine ({string.Join<IPAddress>(", ", addresses)})");
        }
        catch (SocketException e)
            when (e.SocketErrorCode is SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain)
        {
            findings.Fail(Name, $"the name in {advertise} cannot be resolved",
                "on Kubernetes, is the headless service there, and does it publish addresses that are not ready? " +
                "Elsewhere: DNS or /etc/hosts");
        }
        catch (SocketException e)
        {
            findings.Fail(Name, $"{advertise} does not lead to --listen {listener.LocalEndpoint}: {e.Message}",
                "advertise the port that is listened on, at a name of this machine");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            findings.Fail(Name, $"{advertise} does not lead to --listen {listener.LocalEndpoint}: no connection came in a second",
                "advertise the port that is listened on, at a name of this machine");
        }
    }

    /// <returns>Why it is no silo that would talk with us; null if it is one.</returns>
    public async Task<string?> GreetAsync(string address, PeerIdentity identity, CancellationToken cancellationToken)
    {
        await using var network = new TcpPeerNetwork(identity, time);
        try
        {
            // No peer knows the method; a peer of this cluster lets us in before it says so.
            await using var call = await network.OpenAsync(
                address, "doctor.greet", default, PeerCallOptions.Default, cancellationToken);
            return null;
        }
        catch (Exception e) when (e is PeerException or FormatException)
        {
            return e.Message;
        }
    }

    static async Task<bool> ServesAsync(IPAddress host, int port, CancellationToken cancellationToken)
    {
        var address = host.Equals(IPAddress.Any) ? IPAddress.Loopback
            : host.Equals(IPAddress.IPv6Any) ? IPAddress.IPv6Loopback : host;
        using var http = new HttpClient { Timeout = _patience };
        try
        {
            using var answer = await http.GetAsync($"http://{new IPEndPoint(address, port)}/health/live", cancellationToken);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception e)
            when (e is HttpRequestException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    static SocketError? TryListen(IPEndPoint address)
    {
        using var listener = new TcpListener(address);
        return Start(listener);
    }

    static SocketError? Start(TcpListener listener)
    {
        try
        {
            listener.Start();
            return null;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
    }

    static string Words(SocketError error) => error switch
    {
        SocketError.AddressAlreadyInUse => "another program listens there",
        SocketError.AccessDenied => "this user may not listen there",
        SocketError.AddressNotAvailable => "this machine has no such address",
        _ => $"it cannot be listened on ({error})",
    };

    static string Remedy(SocketError error, string flag) => error switch
    {
        SocketError.AddressAlreadyInUse => $"end the other program (ss -ltnp shows it), or choose another port with {flag}",
        SocketError.AccessDenied => $"choose a port from 1024 on with {flag}",
        SocketError.AddressNotAvailable => $"name an address of this machine with {flag}, or 0.0.0.0 for all",
        _ => $"choose another address with {flag}",
    };
}
