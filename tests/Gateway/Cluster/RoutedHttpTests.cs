using System.Text;
using Hearth.Gateway.Cluster;
using Microsoft.AspNetCore.Builder;
using Xunit;

namespace Hearth.Gateway.Tests.Cluster;

/// <summary>Gateways with HTTP in front and silos behind.</summary>
public sealed class RoutedHttpTests
{
    const string Body = """{"model":"demo","stream":true,"conversation":"c","messages":[{"role":"user","content":"Hi"}]}""";

    [Fact]
    public async Task AClientGoesOnThroughAnotherGatewayWhereItsFirstOneLeftItAndTheOwnerDied()
    {
        await using var rig = await ClusterRig.StartAsync(gateways: 2);
        await using var first = await ServeAsync(rig.Gateway);
        await using var second = await ServeAsync(rig.Other);
        using var http = new HttpClient();
        rig.Own("c", "A");
        string whole;
        using (var reply = await PostAsync(http, first))
        {
            whole = await reply.TextAsync();
            Assert.Equal("A/1", reply.Header("x-hearth-silo"));
        }
        Assert.EndsWith("data: [DONE]\n\n", whole, StringComparison.Ordinal);

        rig.Silos["A"].StallAfter = 5;
        var shown = new StringBuilder();
        using (var reply = await PostAsync(http, first))
        using (var lines = new StreamReader(await reply.Content.ReadAsStreamAsync(ClusterRig.Stop)))
        {
            for (var i = 0; i < 3 * 5; i++)
            {
                shown.Append(await lines.ReadLineAsync(ClusterRig.Stop)).Append('\n');
            }
            await rig.Silos["A"].StalledAsync(ClusterRig.Stop);
        }
        rig.Peers.Kill(ClusterRig.IdOf("A"));
        rig.Die("A");
        rig.Directory.Summaries.Clear();
        rig.Own("c", "B");
        using var rest = await http.GetAsync(
            $"{second.Urls.First()}/v1/conversations/c/turns/turn_1/events?starting_after=4", ClusterRig.Stop);
        shown.Append(await rest.TextAsync());
        Assert.Equal(whole, shown.ToString());
    }

    [Fact]
    public async Task AStreamWhoseOwnerDiesLooksAsIfNothingHadBeenAndIsCounted()
    {
        await using var rig = await ClusterRig.StartAsync();
        await using var server = await ServeAsync(rig.Gateway);
        using var http = new HttpClient();
        rig.Own("c", "A");
        string whole;
        using (var reply = await PostAsync(http, server))
        {
            whole = await reply.TextAsync();
        }
        rig.Silos["A"].StallAfter = 6;
        using (var reply = await PostAsync(http, server))
        {
            var text = reply.TextAsync();
            await rig.Silos["A"].StalledAsync(ClusterRig.Stop);
            rig.Peers.Kill(ClusterRig.IdOf("A"));
            rig.Die("A");
            Assert.Equal(whole, await text);
        }
        var metrics = await http.GetStringAsync($"{server.Urls.First()}/metrics", ClusterRig.Stop);
        foreach (var line in new[]
        {
            "hearth_gateway_turns_routed_total{how=\"located\"}", "hearth_gateway_turns_routed_total{how=\"cached\"}",
            "hearth_gateway_takeovers_total 1", "hearth_gateway_route_duration_seconds_bucket{le=\"0.00025\"}",
            "hearth_cluster_silos{status=\"dead\"}", "hearth_cluster_membership_current ",
        })
        {
            Assert.Contains("\n" + line, metrics, StringComparison.Ordinal);
        }
    }

    static async Task<WebApplication> ServeAsync(RoutedCluster cluster)
    {
        var app = GatewayHost.Build(
            new GatewayOptions { Urls = ["http://127.0.0.1:0"], DrainTimeout = TimeSpan.Zero, ResumeWindow = TimeSpan.FromSeconds(1) }, cluster);
        await app.StartAsync(ClusterRig.Stop);
        return app;
    }

    static async Task<HttpResponseMessage> PostAsync(HttpClient http, WebApplication app)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{app.Urls.First()}/v1/chat/completions")
        {
            Content = new StringContent(Body, Encoding.UTF8, "application/json"),
        };
        request.Headers.Add("Idempotency-Key", "turn_1");
        request.Headers.Add("X-Hearth-Event-Ids", "true");
        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ClusterRig.Stop);
    }
}
