using System.Globalization;
using System.Net;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Actors.Storage.Redis;
using Hearth.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;
using static Hearth.Actors.Tests.Storage.RedisCalls;

namespace Hearth.Actors.Tests.Storage;

/// <summary>Redis over TLS, and its users.</summary>
public sealed class RedisTlsTests : IDisposable
{
    static readonly GrainId Grain = new("tenant", "conversation");
    static readonly Fence Fence = new(1, "a");

    readonly TestAuthority _authority = new();
    readonly TestAuthority _other = new();

    public void Dispose()
    {
        _authority.Dispose();
        _other.Dispose();
    }

    [Fact]
    public async Task AllConnectionsGoOverTlsAndBelieveTheNamedAuthority()
    {
        using var server = Start(_authority.Issue("127.0.0.1"), out var address);
        await UseAsync($"{address},ssl=true,sslCa={_authority.Authorities}");
    }

    [Fact]
    public async Task ACertificateOfAnotherNameIsRefusedUnlessThatNameIsGiven()
    {
        using var server = Start(_authority.Issue("redis.example"), out var address);
        await AssertRefusedAsync($"{address},ssl=true,sslCa={_authority.Authorities}", "sslHost");
        await UseAsync($"{address},ssl=true,sslHost=redis.example,sslCa={_authority.Authorities}");
    }

    [Fact]
    public async Task AServerOfAnotherAuthorityIsRefused()
    {
        using var server = Start(_authority.Issue("127.0.0.1"), out var address);
        await AssertRefusedAsync($"{address},ssl=true,sslCa={_other.Authorities}", "not of the given authority");
        await AssertRefusedAsync($"{address},ssl=true", "sslCa");
        await AssertRefusedAsync(address, "ssl=true");
        await AssertRefusedAsync($"{address},sslCa={_authority.Authorities}", "want ssl=true");
        await AssertRefusedAsync($"{address},ssl=true,sslCa=/nowhere/ca.pem", "/nowhere/ca.pem");
    }

    [Fact]
    public async Task AServerThatAsksForACertificateGetsOurs()
    {
        using var server = Start(_authority.Issue("127.0.0.1"), out var address, clients: true);
        var (certificate, key) = _authority.Issue("hearth");
        var trust = $"{address},ssl=true,sslCa={_authority.Authorities}";
        await UseAsync($"{trust},sslCert={certificate},sslKey={key}");
        await AssertRefusedAsync(trust, "cannot be used");
        var (foreign, foreignKey) = _other.Issue("hearth");
        await AssertRefusedAsync($"{trust},sslCert={foreign},sslKey={foreignKey}", "cannot be used");
    }

    [Fact]
    public async Task APlainServerIsNoServerForTls()
    {
        using var server = RedisServer.Start();
        await AssertRefusedAsync($"{server.Address},ssl=true,sslCa={_authority.Authorities}", "does it speak TLS");
    }

    /// <summary>A user that may do what caches need, on the spill server.</summary>
    [Fact]
    public async Task CachesMayHaveAUserAndTheClusterIsToldThatItMayNot()
    {
        using var control = RedisServer.Start();
        using var spill = RedisServer.Start("--user", "hearth", "on", ">secret", "~hearth:*", "-@all", "+setex", "+getex",
            "+strlen", "+getrange", "+expire", "+unlink", "+client|setname");
        spill.Ask("CONFIG", "SET", "requirepass", "other");
        await UseAsync(control.Address, $"{spill.Address},user=hearth,password=secret");
        await using var store = await RedisStore.ConnectAsync(
            new RedisOptions { Control = control.Address, Spill = $"{spill.Address},user=hearth,password=wrong" },
            TimeProvider.System, NullLogger.Instance, Stop);
        var refusal = await Assert.ThrowsAsync<StoreException>(() => store.Blobs.PutAsync(Grain, "b", new byte[1], Stop).AsTask());
        Assert.Contains("WRONGPASS", refusal.Message, StringComparison.Ordinal);
        await AssertRefusedAsync($"{control.Address},user=hearth,password=secret", "default user");
    }

    /// <summary>Each byte comes in time, and all of them never.</summary>
    [Fact]
    public async Task AServerThatDripsItsAnswerIsGivenUpInTime()
    {
        using var server = RedisServer.Start();
        await using var proxy = new FaultProxy(new(IPAddress.Loopback, server.Port), seed: 1);
        using var connection = RespConnection.Open(
            new IPEndPoint(IPAddress.Loopback, proxy.Port), RedisAddress.Parse(proxy.Address), "test", Patience);
        proxy.Replies = new() { DripBytes = 1, DripPause = TimeSpan.FromMilliseconds(20) };
        var failure = await Task.Factory.StartNew(
            () => Assert.Throws<IOException>(() => connection.Call(Patience, RespConnection.Words(["INFO"]))),
            Stop, TaskCreationOptions.LongRunning, TaskScheduler.Default).WaitAsync(TimeSpan.FromSeconds(10), Stop);
        Assert.Contains("too slowly", failure.Message, StringComparison.Ordinal);
    }

    /// <summary>A turn's writes, a beat and a cache.</summary>
    static async Task UseAsync(string address, string? spill = null)
    {
        await using var store = await RedisStore.ConnectAsync(new RedisOptions { Control = address, Spill = spill },
            TimeProvider.System, NullLogger.Instance, Stop);
        await store.Membership.JoinAsync(new SiloEntry("s1/1", "a:1", SiloStatus.Active, "{}"), Stop);
        Assert.Equal(BeatOutcome.Alive, (await store.Membership.BeatAsync("s1/1", default, Stop)).Outcome);
        await store.Grains.AcquireAsync(Grain, "s1", "a", null, Stop);
        Assert.Equal(CommitOutcome.Done, (await store.Grains.CommitAsync(Grain, Fence, Step(0, "x"), Stop)).Outcome);
        Assert.Single((await store.Grains.ReadAsync(Grain, Stop))!.Log);
        var (large, back) = (new byte[3 << 20], new byte[3 << 20]);
        new Random(1).NextBytes(large);
        await store.Blobs.PutAsync(Grain, "b", large, Stop);
        Assert.Equal(large.Length, await store.Blobs.ReadAsync(Grain, "b", back, Stop));
        Assert.Equal(large, back);
    }

    static async Task AssertRefusedAsync(string address, string says)
    {
        var refusal = await Assert.ThrowsAsync<StoreException>(async () => await ConnectAsync(address));
        Assert.True(refusal.Message.Contains(says, StringComparison.Ordinal), refusal.Message);
    }

    RedisServer Start((string Certificate, string Key) own, out string address, bool clients = false)
    {
        var port = RedisServer.FreePort();
        address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");
        return RedisServer.Start("--port", "0", "--tls-port", $"{port}", "--tls-cert-file", own.Certificate,
            "--tls-key-file", own.Key, "--tls-ca-cert-file", _authority.Authorities, "--tls-auth-clients", clients ? "yes" : "no");
    }
}
