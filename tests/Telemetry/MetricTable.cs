using System.Diagnostics.Metrics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Hearth.Actors.Metrics;
using Hearth.Engine;
using Hearth.Gateway;
using Hearth.Grains.Telemetry;
using Hearth.Silo;

namespace Hearth.Telemetry.Tests;

/// <summary>Every metric of the product, made into the page <c>docs/operate/metrics.md</c>.</summary>
sealed class MetricTable
{
    static readonly string[] s_everywhere = ["Hearth.Process", "System.Runtime", "Hearth.Redis", "Hearth.Membership", "Hearth.Store"];

    static readonly (string Title, string Intro, Func<MetricFamily, bool> Has)[] s_sections =
    [
        ("Requests and tokens of an engine (vLLM's names)", "All have `model_name`.\n\n", f => f.Name.StartsWith("vllm:", StringComparison.Ordinal)),
        ("Engine", "All have `model_name`.\n\n", f => MeterOf(f) == "Hearth.Engine"),
        ("Turns and caches of a silo", "", f => MeterOf(f) == "Hearth.Grains"),
        ("Silo, activations and lease", "", f => MeterOf(f) is "Hearth.Silo" or "Hearth.Actors"),
        ("Stores, Redis and membership", "", f => MeterOf(f) is "Hearth.Store" or "Hearth.Redis" or "Hearth.Membership"),
        ("Gateway", "", f => MeterOf(f).StartsWith("Hearth.Gateway", StringComparison.Ordinal)),
        ("Process", "", f => MeterOf(f) is "Hearth.Process" or "System.Runtime"),
    ];

    /// <summary>What the errors' codes are is said once.</summary>
    static readonly string[] s_codes = [.. ((string[])GatewayLabels.Code.Value!).Where(c => c != MetricLabel.Other)];

    public IReadOnlyList<MetricFamily> Families { get; } = [.. Find().OrderBy(f => f.Name, StringComparer.Ordinal)];

    public static bool IsServed(MetricFamily family, string by) => WhereOf(family).Contains(by, StringComparison.Ordinal);

    public string Page()
    {
        var page = new StringBuilder(Head);
        var left = Families.ToList();
        foreach (var (title, intro, has) in s_sections)
        {
            page.Append(CultureInfo.InvariantCulture, $"\n## {title}\n\n{intro}| name | type | labels | where | meaning |\n| --- | --- | --- | --- | --- |\n");
            foreach (var family in left.Where(has).ToList())
            {
                left.Remove(family);
                var kind = family.Kind.ToString().ToLowerInvariant();
                page.Append(CultureInfo.InvariantCulture,
                    $"| `{family.Name}` | {kind} | {LabelsOf(family)} | {WhereOf(family)} | {family.Help} |\n");
            }
        }
        page.Append("\n## Error codes\n\n").AppendJoin(", ", s_codes.Select(c => $"`{c}`"))
            .Append("; whatever else happens is `other`.\n\n## Buckets\n\nUpper bounds; the last bucket, `+Inf`, holds the rest.\n\n"
                + "| histograms | bounds |\n| --- | --- |\n");
        foreach (var same in Families.Where(f => f.Kind == MetricKind.Histogram)
            .GroupBy(f => string.Join(", ", f.Buckets.Select(b => b.ToString("R", CultureInfo.InvariantCulture)))))
        {
            page.Append(CultureInfo.InvariantCulture, $"| {string.Join(", ", same.Select(f => $"`{f.Name}`"))} | {same.Key} |\n");
        }
        return left.Count == 0 ? page.Append(Tail).ToString() : throw new InvalidOperationException($"{left[0].Name} is in no section.");
    }

    /// <summary>Makes one of everything that has instruments, and looks at what is published.</summary>
    static List<MetricFamily> Find()
    {
        using var engine = new EngineMetrics("demo", 1, 32, 0, TimeProvider.System);
        using var silo = new SiloMetrics(null!);
        silo.Join(null!, null!, null!, "cpu");
        using var membership = new MembershipMetrics(null!);
        using var gateway = new GatewayMetrics(null!, null!, TimeProvider.System);
        using var routing = new RoutingMetrics();
        using var process = new ProcessMetrics(new ProcessRole("serve"), () => 0);
        foreach (var type in new[] { typeof(ActorMetrics), typeof(StoreMetrics), typeof(RedisRole), typeof(GrainMetrics) })
        {
            RuntimeHelpers.RunClassConstructor(type.TypeHandle);
        }
        var families = new List<MetricFamily>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (MetricLabel.IsShown(instrument) && !instrument.Meter.Name.StartsWith("Hearth.Test", StringComparison.Ordinal))
            {
                families.Add(new MetricFamily(instrument));
            }
        };
        listener.Start();
        return [.. families.DistinctBy(f => f.Name)];
    }

    static string MeterOf(MetricFamily family) => family.Instrument.Meter.Name;

    static string WhereOf(MetricFamily family) => s_everywhere.Contains(MeterOf(family)) ? "S, G"
        : MeterOf(family).StartsWith("Hearth.Gateway", StringComparison.Ordinal) ? "G" : "S";

    static string LabelsOf(MetricFamily family) => string.Join("; ", family.Labels.Select(l => $"`{PrometheusText.LabelName(l.Name)}`" + ValuesOf(l)));

    static string ValuesOf(MetricLabel label)
    {
        if (label.Values is not { } values)
        {
            return "";
        }
        var rest = values.Except([.. s_codes, MetricLabel.Other]).ToList();
        return " = " + (values.Count - rest.Count < s_codes.Length ? string.Join(", ", values)
            : rest.Count == 0 ? "an error code" : string.Join(", ", rest) + " or an error code");
    }

    const string Head = """
        # Metrics

        `GET /metrics` of a gateway (its own port, a key with scope `read`) and of a silo (its probe port, `--urls`, no key) answers in
        Prometheus' text format 0.0.4, or in OpenMetrics 1.0 where the scraper asks for it. The same figures go out over OTLP when
        `OTEL_EXPORTER_OTLP_ENDPOINT` or `--otlp` is set; there an instrument has its own name, such as `vllm.num_requests_running` or
        `hearth.engine.step` with unit `s`.

        - Names that vLLM has too are vLLM's (`vllm:…`, label `model_name`), so that dashboards and routers made for it work; `gen_ai_…` are
          OpenTelemetry's GenAI histograms; `dotnet_…` are the runtime's; `hearth_…` are Hearth's.
        - Labels have closed sets of values; what is in none of them is shown as `other`. Only `model_name` and `gen_ai_request_model` (models
          that are served) and the labels of the two info metrics are open. No tenant, key or conversation is ever a label. Silos and gateways
          are told apart by Prometheus' own `instance` or `pod`.
        - Counters and histograms exist from the start, at 0, for every label set where these are at most 64. A metric keeps at most 1000 label
          sets.
        - *Where*: S = silo, G = gateway; `hearth serve` has both. Metrics of a role that a process does not have stay at 0 or are absent.

        This page is made from the code: `HEARTH_WRITE_DOCS=1 dotnet test tests/Telemetry` writes it, and a test holds the two equal.

        """;

    const string Tail = """

        ## Traces

        With a collector named, a turn is one trace, from the caller's `traceparent` on: the HTTP or gRPC request; `chat {model}` with
        OpenTelemetry's GenAI attributes; `peer turn.run`, the call to a silo; `turn` at the silo, with `begin` and `commit` in the store; and
        the engine's `queue`, `restore`, `prefill` and `decode`, this one with an event for every 32 tokens. After a move (`migrate` and
        `migrate in`) or a takeover the next silo's `turn` is of the same trace. The conversation's id is an attribute; texts, keys and tokens
        are nowhere. `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_EXPORTER=none` and the other standard variables are followed; the
        service's name is else `hearth-gateway`, `hearth-silo` or `hearth-serve`.

        ## Logs

        `--log-format json` writes one object a line. What is logged for a turn has its trace id, conversation, turn and silo as scopes, also
        where no collector is named. No log holds a prompt, a reply or a key, at any `--log-level`.

        """;
}
