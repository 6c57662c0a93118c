using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Cluster.Tests;

/// <summary>What real processes tell of a turn: one trace, metrics as they are documented, and logs that keep secrets.</summary>
public sealed class TelemetryTests
{
    const string Key = "sk-marked-key-7Q2";
    const string Text = "Zanzibar-7Q2";
    const string TraceId = "0af7651916cd43dd8448eb211c80319c";
    const int Tokens = 2000;
    const string Caller = "b7ad6b7169203331";

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ATurnIsOneTraceThroughGatewaySilosAndAMoveAndNothingTellsItsText()
    {
        await using var collector = await OtlpReceiver.StartAsync(Cancellation);
        string[] flags = ["--otlp", collector.Url, "--log-format", "json", "--log-level", "debug"];
        var options = new RigOptions { Silos = 2, Gateways = 0 };
        options = options with { SiloFlags = [.. options.SiloFlags, .. flags, "--urls", "http://127.0.0.1:0"] };
        await SharedCluster.OnItsOwnAsync(options, async rig =>
        {
            var keys = Path.GetTempFileName();
            await File.WriteAllTextAsync(keys, $"{Key} tester chat,read,admin\n", Cancellation);
            var gateway = rig.LaunchGateway(flags: [.. flags, "--api-key-file", keys]);
            await rig.ReadyAsync(gateway, Cancellation);
            rig.Client().Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
            await rig.UntilSilosAsync(rows => rows.Count(r => r.Status == "active") == 2, Cancellation);
            await TalkAsync(rig);

            await MetricsAreAsDocumentedAsync(rig, gateway);
            foreach (var node in (HearthNode[])[.. rig.Silos, gateway])
            {
                // At its end a process sends what it has.
                node.Terminate();
                await node.EndAsync(TimeSpan.FromSeconds(40), Cancellation);
            }
            File.Delete(keys);
            SpansAreOneTree([.. collector.Spans.Where(s => s.TraceId == TraceId)]);
            Assert.Superset(
                new HashSet<(string, string)>
                {
                    ("gateway", "gen_ai.server.request.duration"), ("gateway", "hearth.gateway.turns"),
                    ("gateway", "dotnet.gc.collections"), ("silo", "vllm.prompt_tokens"), ("silo", "hearth.turns"),
                },
                collector.Metrics.Keys.ToHashSet());
            Assert.DoesNotContain(collector.Spans, s => s.Text.Contains(Text, StringComparison.Ordinal) || s.Text.Contains(Key, StringComparison.Ordinal));
            LogsKeepSecrets(rig, gateway);
        });
    }

    /// <summary>A long reply that is moved in its middle.</summary>
    static async Task TalkAsync(ClusterRig rig)
    {
        var body = Turns.Seeded("traced", Tokens);
        body["messages"]![0]!["content"] = $"Tell me of {Text}.";
        rig.Client().Http.DefaultRequestHeaders.Add("traceparent", $"00-{TraceId}-{Caller}-01");
        using var stream = await rig.Client().StreamAsync(body, Cancellation);
        rig.Client().Http.DefaultRequestHeaders.Remove("traceparent");
        var reading = stream.ReadToEndAsync(Cancellation);
        var (status, answer) = await rig.Client().SendAsync(HttpMethod.Post, "admin/conversations/traced/migrate", [], Cancellation);
        Assert.True(status == 200, answer);
        await reading;
        Assert.True(stream.IsDone, stream.Error);
    }

    static void SpansAreOneTree(IReadOnlyList<OtlpSpan> spans)
    {
        var told = string.Join('\n', spans.Select(s => $"{s.Service} {s.Name} {s.SpanId} < {s.Parent}"));
        OtlpSpan One(string service, string name) => spans.FirstOrDefault(s => s.Service == service && s.Name.StartsWith(name, StringComparison.Ordinal))
            ?? throw new InvalidOperationException($"No {service} {name} in\n{told}");
        var http = One("gateway", "POST");
        Assert.Equal(Caller, http.Parent);
        var chat = One("gateway", "chat demo");
        Assert.Equal(http.SpanId, chat.Parent);
        var calls = spans.Where(s => s.Name == "peer turn.run").ToList();
        Assert.NotEmpty(calls);
        Assert.All(calls, call => Assert.Equal(chat.SpanId, call.Parent));
        // Before the move and after it, at two silos.
        var turns = spans.Where(s => s is { Service: "silo", Name: "turn" }).ToList();
        Assert.True(turns.Count >= 2, told);
        Assert.All(turns, turn => Assert.Contains(turn.Parent, calls.Select(c => c.SpanId)));
        Assert.All(turns, turn => Assert.Contains("traced", turn.Text, StringComparison.Ordinal));
        Assert.Contains(One("silo", "migrate in").Parent, spans.Where(s => s.Name == "migrate").Select(s => s.SpanId));
        // The engine of the target goes on before its turn is handed over.
        foreach (var part in new[] { "queue", "prefill", "decode", "begin", "commit" })
            Assert.Contains(One("silo", part).Parent, turns.Append(One("silo", "migrate in")).Select(t => t.SpanId));
        Assert.True(spans.Where(s => s.Name == "decode").Sum(s => s.Events) >= Tokens / 32 - 2, told);
    }

    /// <summary>What is served is in the page of metrics, and the other way round.</summary>
    static async Task MetricsAreAsDocumentedAsync(ClusterRig rig, HearthNode gateway)
    {
        var page = await File.ReadAllTextAsync(Path.Combine(HearthNode.Root, "docs", "operate", "metrics.md"), Cancellation);
        var rows = Regex.Matches(page, @"^\| `([a-z_:0-9]+)` \| \w+ \|[^|]*\| ([SG, ]+) \|", RegexOptions.Multiline)
            .ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value);
        foreach (var (role, url) in new[] { ("G", rig.Client(gateway).Url.ToString()), ("S", HearthNode.AddressIn(await rig.Silos[0].Ready, "probes at")) })
        {
            var text = await rig.Client().Http.GetStringAsync($"{url.TrimEnd('/')}/metrics", Cancellation);
            var served = Regex.Matches(text, @"^# TYPE (\S+) ", RegexOptions.Multiline).Select(m => m.Groups[1].Value).ToHashSet();
            Assert.Empty(served.Except(rows.Keys));
            Assert.Empty(rows.Where(r => r.Value.Contains(role, StringComparison.Ordinal)).Select(r => r.Key).Except(served));
        }
    }

    static void LogsKeepSecrets(ClusterRig rig, HearthNode gateway)
    {
        var logs = rig.Logs();
        Assert.DoesNotContain(Text, logs, StringComparison.Ordinal);
        Assert.DoesNotContain(Key, logs, StringComparison.Ordinal);
        var line = gateway.Output.Split('\n').First(l => l.Contains("chat ok", StringComparison.Ordinal));
        var scopes = JsonNode.Parse(line)!["Scopes"]!.ToJsonString();
        Assert.All((string[])[TraceId, "traced", "turn"], word => Assert.Contains(word, scopes, StringComparison.Ordinal));
        Assert.Contains(rig.Logs().Split('\n'), l => l.StartsWith('{')
            && l.Contains("\"Hearth.Grains\"", StringComparison.Ordinal) && l.Contains(TraceId, StringComparison.Ordinal));
    }
}
