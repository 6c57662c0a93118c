using System.Globalization;
using System.Text.Json.Nodes;
using Hearth.Cli.Top;
using Xunit;

namespace Hearth.Cli.Tests.Top;

/// <summary>What the frames of <c>hearth top</c> say, of samples that are made up; and once of a real server.</summary>
public sealed class TopTests : IDisposable
{
    readonly TopHistory _history = new(TimeProvider.System);
    readonly ScratchFolder _data = new();

    public void Dispose() => _data.Dispose();

    [Fact]
    public void RatesAreWhatGrewAndAMinuteIsAMinute()
    {
        TopReport? last = null;
        for (var second = 0; second <= 90; second++)
            last = _history.Add(At(second, [Silo("a", generated: 100 + (40 * second), hits: second)]));
        Assert.Equal((40, 40), (last!.Silos[0].TokensOut, last.Total.TokensOut));
        Assert.Equal((60, 60), (last.Seconds, last.LastMinute.Hit));
        Assert.Equal(0.5, last.Silos[0].Cached);
    }

    [Fact]
    public void ASiloThatWentKeepsItsPartAndOneThatCameBeganAtNothing()
    {
        _history.Add(At(0, [Silo("a", generated: 1000, hits: 5)]));
        _history.Add(At(1, [Silo("a", generated: 1100, hits: 7)]));
        _history.Add(At(2, [Silo("b", generated: 10, hits: 1)]));
        var report = _history.Add(At(3, [Silo("b", generated: 50, hits: 2)]));
        Assert.Equal(4, report.LastMinute.Hit);
        Assert.Equal(50, report.Total.TokensOut);
        Assert.Equal(["b"], report.Silos.Select(s => s.Id));
    }

    [Fact]
    public void AGatewayThatStartedAgainCountsFromNothing()
    {
        _history.Add(At(0, [], Gateway("hearth_gateway_turns_refused_total{code=\"overloaded\"} 900")));
        _history.Add(At(1, [], Gateway("hearth_gateway_turns_refused_total{code=\"overloaded\"} 903")));
        _history.Add(At(2, [], new GatewaySample("g", null, "gone")));
        var report = _history.Add(At(3, [], Gateway("hearth_gateway_turns_refused_total{code=\"overloaded\"} 2")));
        Assert.Equal(5, report.LastMinute.Refused);
    }

    [Fact]
    public void TurnsThatEndedOtherwiseThanWellHaveFailed()
    {
        _history.Add(At(0, [], Gateway("hearth_gateway_turns_total{outcome=\"ok\"} 1")));
        var report = _history.Add(At(1, [], Gateway("""
            # HELP hearth_gateway_turns_total Turns.
            hearth_gateway_turns_total{cache="hit",outcome="ok"} 10
            hearth_gateway_turns_total{cache="hit",outcome="cancelled"} 3
            hearth_gateway_turns_total{cache="none",outcome="internal_error"} 2 1700000000
            nonsense
            """)));
        Assert.Equal(2, report.LastMinute.Failed);
        Assert.Equal(14, report.Gateways[0].Turns);
    }

    [Fact]
    public void QuantilesAreThoseOfTheLastMinuteAlone()
    {
        _history.Add(At(0, [], Gateway(Buckets(100, 100, 100))));
        var report = _history.Add(At(1, [], Gateway(Buckets(100, 108, 110))));
        Assert.Equal((0.1625, 0.2), (report.Gateways[0].FirstTextP50Seconds, report.Gateways[0].FirstTextP95Seconds));

        static string Buckets(int first, int second, int all) => string.Create(CultureInfo.InvariantCulture, $$"""
            gen_ai_server_time_to_first_token_seconds_bucket{gen_ai_operation_name="chat",le="0.1"} {{first}}
            gen_ai_server_time_to_first_token_seconds_bucket{gen_ai_operation_name="chat",le="0.2"} {{second}}
            gen_ai_server_time_to_first_token_seconds_bucket{gen_ai_operation_name="chat",le="+Inf"} {{all}}
            """);
    }

    [Fact]
    public void WhenNoGatewayAnswersTheLastFrameStaysAndSaysSo()
    {
        _history.Add(At(0, [Silo("a", generated: 1, hits: 0)]));
        var report = _history.Add(new ClusterSample(Timestamp(1), false, "", [], [], "No gateway answers."));
        Assert.Equal("a", report.Silos[0].Id);
        Assert.Contains(Drawn(report, 80, 24), line => line == "No gateway answers.");
    }

    [Fact]
    public void NoTerminalIsTooNarrowOrTooLow()
    {
        var silos = Enumerable.Range(0, 40).Select(i => Silo($"silo-{i}/0123abcd", generated: i, hits: 0)).ToArray();
        _history.Add(At(0, silos, Gateway("x 1")));
        var report = _history.Add(At(1, silos, Gateway("x 1")));
        for (var width = 1; width <= 200; width += 7)
        {
            for (var height = 1; height <= 60; height += 5)
            {
                var lines = Drawn(report, width, height);
                Assert.All(lines, line => Assert.True(line.Length <= Math.Max(width, 20), line));
                Assert.Contains(lines, line => line.StartsWith("total", StringComparison.Ordinal));
                Assert.True(lines.Count <= Math.Max(height, 14), $"{lines.Count} lines in {height}");
            }
        }
    }

    [Fact]
    public void WhatASiloCallsItselfCannotMoveTheCursor()
    {
        var report = _history.Add(At(0, [Silo("evil\e[2J\n", generated: 0, hits: 0)]));
        Assert.DoesNotContain(Drawn(report, 100, 24), line => line.Any(char.IsControl));
    }

    [Fact]
    public async Task TopShowsARealServer()
    {
        await using var server = await HearthProcess.ServeAsync(_data.Path);
        var chat = new { model = "demo", conversation = "one", messages = new[] { new { role = "user", content = "Hello!" } } };
        await server.ChatAsync(chat);
        string[] arguments = ["top", "--url", server.Url.ToString(), "--once", "--interval", "200ms"];
        var (code, output) = await HearthProcess.RunAsync(arguments);
        Assert.True(code == 0, output);
        Assert.Contains("local", output, StringComparison.Ordinal);
        Assert.DoesNotContain('\e', output);
        (code, output) = await HearthProcess.RunAsync([.. arguments, "--json"]);
        Assert.True(code == 0, output);
        var report = JsonNode.Parse(output)!;
        Assert.True(report["ready"]!.GetValue<bool>());
        Assert.True(report["silos"]![0]!["blocks_total"]!.GetValue<int>() > 0);
        var cluster = JsonNode.Parse(await server.Http.GetStringAsync("admin/cluster", TestContext.Current.CancellationToken))!;
        var counts = cluster["silos"]![0]!["counts"]!;
        Assert.Equal(1, counts["turns_new"]!.GetValue<int>());
        Assert.True(counts["generated_tokens"]!.GetValue<int>() > 0);
    }

    static List<string> Drawn(TopReport report, int width, int height) =>
        [.. new TopScreen(width, height, fancy: true).Draw(report, TopOrder.TokensOut, "12:00:00", "q quit")
            .Select(line => string.Concat(line.Select(p => p.Text)))];

    static ClusterSample At(int second, SiloSample[] silos, params GatewaySample[] gateways) =>
        new(Timestamp(second), true, "serving", silos, gateways, null);

    static long Timestamp(int second) => second * TimeProvider.System.TimestampFrequency;

    static GatewaySample Gateway(string metrics) => new("g", new MetricsText(metrics), null);

    static SiloSample Silo(string id, long generated, long hits) => new(id, "active", "cpu", "demo", 3, 1, 0, 10, 20,
        new Dictionary<string, long>
        {
            ["prompt_tokens"] = 2 * generated,
            ["cached_tokens"] = generated,
            ["generated_tokens"] = generated,
            ["turns_hit"] = hits,
        });
}
