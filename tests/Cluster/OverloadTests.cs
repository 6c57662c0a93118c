using System.Diagnostics;
using System.Globalization;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Cluster.Tests;

/// <summary>INV-29: what is too much is refused at once, and what was taken is served as fast as ever.</summary>
public sealed class OverloadTests
{
    const int Tokens = 96;

    /// <summary>For each of the peak's measurement and of the loads.</summary>
    static readonly TimeSpan s_time = TimeSpan.FromSeconds(LongForm.Runs ? 90 : 5);

    /// <summary>Of the peak. In the short form other tests' processes may take more of the machine than when it was
    /// measured.</summary>
    static readonly double s_least = LongForm.Runs ? 0.85 : 0.6;

    [Theory]
    [InlineData("at the gateway's door", "--max-turns-per-tenant", "24", "256")]
    public async Task LoadBeyondCapacityIsRefusedAtOnceAndCostsTheRestNothing(string where, string flag, string turns, string queue)
    {
        var flags = new[] { "--threads", "1", "--kv-memory", "4m", "--host-memory", "16m", "--max-queue", queue };
        await SharedCluster.OnItsOwnAsync(new RigOptions { Silos = 2, Gateways = 0, SiloFlags = flags }, async rig =>
        {
            var gateway = await rig.ReadyAsync(
                rig.LaunchGateway(flags: [flag, turns, "--max-turns", "4096"]), TestContext.Current.CancellationToken);
            await rig.FillAsync(2, 1, TestContext.Current.CancellationToken);
            await RunAsync(rig, rig.Client(gateway), where);
        });
    }

    static async Task RunAsync(ClusterRig rig, GatewayClient gateway, string where)
    {
        var cancellation = TestContext.Current.CancellationToken;
        await new OpenLoop(gateway, "warm", Tokens).PeakAsync(24, s_time, cancellation);
        var peak = await new OpenLoop(gateway, "peak", Tokens).PeakAsync(24, s_time, cancellation);
        var log = new List<string> { string.Create(CultureInfo.InvariantCulture, $"refused {where}; peak {peak:F0} tokens/s") };
        foreach (var times in new[] { 2, 5 })
        {
            var load = new OpenLoop(gateway, $"load-{times}", Tokens);
            var arrivals = await load.RunAsync(times * peak / Tokens, s_time, cancellation);
            var served = load.ServedPerSecond(s_time);
            var refused = arrivals.Where(a => a.Answer.Status != 200).ToList();
            var late = refused.Select(a => a.Took.TotalMilliseconds).Order().ToList();
            log.Add(string.Create(CultureInfo.InvariantCulture, $"{times}x: {arrivals.Count} turns, {refused.Count} refused, p50 "
                + $"{late.ElementAtOrDefault(late.Count / 2):F0} ms, p99 {late.ElementAtOrDefault(late.Count * 99 / 100):F0} ms; "
                + $"{served:F0} tokens/s, {served / peak:P0}; "
                + $"slowest served {arrivals.Where(a => a.Answer.Status == 200).Max(a => a.Took.TotalSeconds):F1} s"));
            TestContext.Current.TestOutputHelper!.WriteLine(string.Join('\n', log));
            Assert.All(refused, a => Assert.True(a.Answer.Status is 429 or 503 && a.Answer.RetryAfter is not null, $"{a}"));
            // What was measured as the peak may have been less: a program that has just begun is slow.
            Assert.True(times == 2 || refused.Count > arrivals.Count / 5, string.Join('\n', log));
            // 50 ms on a machine that does nothing else; here client, gateway, silos and Redis share its processors.
            Assert.True(late[late.Count * 99 / 100] < 1000, string.Join('\n', log));
            Assert.True(served >= s_least * peak, string.Join('\n', log));
            peak = Math.Max(peak, served);
            var clock = Stopwatch.StartNew();
            await gateway.ChatAsync(Turns.Seeded($"after-{times}", Tokens), cancellation);
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"{clock.Elapsed} after the load");
        }
        Assert.Equal((2, 1), (rig.Silos.Count, rig.Gateways.Count));
    }
}
