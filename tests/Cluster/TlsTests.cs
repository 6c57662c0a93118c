using Hearth.Cluster.Tests.Rig;
using Hearth.Tests.Shared;
using Xunit;

namespace Hearth.Cluster.Tests;

/// <summary>A cluster whose processes speak TLS with each other.</summary>
public sealed class TlsTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public Task ChatsAndMovesGoOverTlsAndWhoHasNoCertificateGetsNothing() => SharedCluster.OnItsOwnAsync(
        new RigOptions { Silos = 0, Gateways = 0 }, async rig =>
        {
            using var authority = new TestAuthority();
            var (certificate, key) = authority.Issue("hearth");
            string[] tls = ["--peer-cert", certificate, "--peer-key", key, "--peer-ca", authority.Authorities];
            var (a, b) = (rig.LaunchSilo(flags: tls), rig.LaunchSilo(flags: tls));
            var (inside, outside) = (rig.LaunchGateway(flags: tls), rig.LaunchGateway());
            foreach (var node in new[] { a, b, inside, outside })
                await rig.ReadyAsync(node, Cancellation);
            await rig.UntilSilosAsync(silos => silos.Count(s => s.Status == "active") == 2, Cancellation);

            var first = await rig.Client(inside).ChatAsync(Turns.Brief("c", Turns.Opening), Cancellation);
            var target = first.Silo.StartsWith(a.Name, StringComparison.Ordinal) ? b.Name : a.Name;
            var (status, body) = await rig.Client(inside).SendAsync(
                HttpMethod.Post, "admin/conversations/c/migrate", new() { ["silo"] = target }, Cancellation);
            Assert.True(status == 200, body);
            var next = await rig.Client(inside).ChatAsync(Turns.Brief("c", "What is my name?"), Cancellation);
            Assert.StartsWith(target, next.Silo, StringComparison.Ordinal);
            Assert.Equal("hit", next.Cache);

            var refused = await rig.Client(outside).TryChatAsync(Turns.Brief("other", Turns.Opening), Cancellation);
            Assert.True(refused.Status >= 500, refused.Body);
        });
}
