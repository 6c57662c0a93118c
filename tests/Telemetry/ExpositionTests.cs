using System.Diagnostics.Metrics;
using System.Text;
using System.Text.RegularExpressions;
using Hearth.Gateway;
using Xunit;

namespace Hearth.Telemetry.Tests;

public sealed partial class ExpositionTests : IDisposable
{
    static readonly string[] s_results = ["good", "bad"];
    static readonly string[] s_kinds = ["a", "b"];

    readonly Meter _meter = new(new MeterOptions("Hearth.Test") { Tags = [new("model_name", "demo")] });

    public void Dispose() => _meter.Dispose();

    [Fact]
    public void BothFormatsAreToTheByte()
    {
        var counter = Family(_meter.CreateCounter<long>("hearth.test.odd-size", "By", "Line one\nand \\ \"two\".",
            [new("who", null)]));
        counter.Record(3, [new("who", "x\"y\\z\nw")]);
        counter.Record(2, [new("who", "x\"y\\z\nw")]);
        var histogram = Family(_meter.CreateHistogram("vllm.test_wait", "s", "Wait.", null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.00005, 0.5, 1] }));
        foreach (var value in new[] { 0.5, 0.75, 7 })
        {
            histogram.Record(value, []);
        }
        var gauge = Family(_meter.CreateObservableGauge("test", () => 1, null, "Now."));
        gauge.Record(double.NaN, []);
        MetricGroup[] groups = [MetricGroup.Of([counter]), MetricGroup.Of([gauge]), MetricGroup.Of([histogram])];

        Assert.Equal("""
            # HELP hearth_test_odd_size_bytes_total Line one\nand \\ "two".
            # TYPE hearth_test_odd_size_bytes_total counter
            hearth_test_odd_size_bytes_total{model_name="demo",who="x\"y\\z\nw"} 5
            # HELP hearth_test Now.
            # TYPE hearth_test gauge
            hearth_test{model_name="demo"} NaN
            # HELP vllm:test_wait_seconds Wait.
            # TYPE vllm:test_wait_seconds histogram
            vllm:test_wait_seconds_bucket{model_name="demo",le="5e-05"} 0
            vllm:test_wait_seconds_bucket{model_name="demo",le="0.5"} 1
            vllm:test_wait_seconds_bucket{model_name="demo",le="1"} 2
            vllm:test_wait_seconds_bucket{model_name="demo",le="+Inf"} 3
            vllm:test_wait_seconds_sum{model_name="demo"} 8.25
            vllm:test_wait_seconds_count{model_name="demo"} 3

            """, PrometheusText.Write(groups, openMetrics: false));
        Assert.Equal("""
            # HELP hearth_test_odd_size_bytes Line one\nand \\ \"two\".
            # TYPE hearth_test_odd_size_bytes counter
            # UNIT hearth_test_odd_size_bytes bytes
            hearth_test_odd_size_bytes_total{model_name="demo",who="x\"y\\z\nw"} 5
            # HELP hearth_test Now.
            # TYPE hearth_test gauge
            hearth_test{model_name="demo"} NaN
            # HELP vllm:test_wait_seconds Wait.
            # TYPE vllm:test_wait_seconds histogram
            # UNIT vllm:test_wait_seconds seconds
            vllm:test_wait_seconds_bucket{model_name="demo",le="5e-05"} 0
            vllm:test_wait_seconds_bucket{model_name="demo",le="0.5"} 1
            vllm:test_wait_seconds_bucket{model_name="demo",le="1.0"} 2
            vllm:test_wait_seconds_bucket{model_name="demo",le="+Inf"} 3
            vllm:test_wait_seconds_sum{model_name="demo"} 8.25
            vllm:test_wait_seconds_count{model_name="demo"} 3
            # EOF

            """, PrometheusText.Write(groups, openMetrics: true));
    }

    /// <summary>Whatever labels and values come, every line can be read, and the label is what it was.</summary>
    [Fact]
    public void AnyLabelAndAnyValueReadBack()
    {
        var random = new Random(20261123);
        const string signs = "a\"\\\n{},= \té世🙂";
        for (var round = 0; round < 300; round++)
        {
            using var meter = new Meter("Hearth.Test");
            var family = Family(meter.CreateCounter<double>("any", null, null, [new("l", null)]));
            var label = new string([.. Enumerable.Range(0, random.Next(12)).Select(_ => signs[random.Next(signs.Length)])]);
            var value = random.NextDouble() * Math.Pow(10, random.Next(-12, 20));
            family.Record(value, [new("l", label)]);
            var line = PrometheusText.Write([MetricGroup.Of([family])], round % 2 == 0).Split('\n')[2];
            var found = SampleLine().Match(line);
            Assert.True(found.Success, line);
            Assert.Equal(label, Unescape(found.Groups["label"].Value));
            Assert.Equal(value, double.Parse(found.Groups["value"].Value, System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    [Fact]
    public void LabelSetsAreBoundedAndUnknownValuesAreOther()
    {
        var closed = Family(_meter.CreateCounter<long>("closed", null, "c", [new("result", s_results)]));
        Assert.Equal([0, 0], closed.Snapshot().Select(s => s.Value));
        Assert.True(closed.Record(1, [new("result", "bad")]) && closed.Record(1, [new("result", "anything else")]));
        Assert.Equal([("bad", 1), ("good", 0), ("other", 1)], closed.Snapshot()
            .Select(s => (LabelOf(s), s.Value)).OrderBy(s => s.Item1, StringComparer.Ordinal));

        var open = Family(_meter.CreateCounter<long>("open", null, null, [new("n", null)]));
        var kept = Enumerable.Range(0, 1200).Count(i => open.Record(1, [new("n", i)]));
        Assert.Equal((1000, 1000), (kept, open.Snapshot().Count));

        static string LabelOf(MetricSnapshot series) => Regex.Match(series.Labels, "result=\"([a-z ]+)\"").Groups[1].Value;
    }

    [Fact]
    public void OneNameOfTwoInstrumentsIsOneSeries()
    {
        using var other = new Meter(new MeterOptions("Hearth.Test") { Tags = [new("model_name", "demo")] });
        var advice = new InstrumentAdvice<double> { HistogramBucketBoundaries = [1] };
        var families = new[] { _meter, other }.Select(m => Family(m.CreateHistogram("twice", null, "t", null, advice))).ToArray();
        families[0].Record(0.5, []);
        families[1].Record(2, []);
        var series = Assert.Single(MetricGroup.Of(families).Series);
        Assert.Equal(2.5, series.Value);
        Assert.Equal([1L, 1L], series.Counts);
    }

    /// <summary>Recording is done in the engine's loop.</summary>
    [Fact]
    public void RecordingAllocatesNothing()
    {
        using var collector = new MetricsCollector(new ProcessRole("silo"));
        var counter = _meter.CreateCounter<long>("hot", null, "h",
            [new("result", s_results), new("kind", s_kinds)]);
        var histogram = _meter.CreateHistogram<double>("hot.time", "s");
        KeyValuePair<string, object?> good = new("result", "good"), kind = new("kind", "b");
        Record(1000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Record(10_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Record(int times)
        {
            for (var i = 0; i < times; i++)
            {
                counter.Add(1, good, kind);
                histogram.Record(0.003);
            }
        }
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("text/plain", false)]
    [InlineData("*/*", false)]
    [InlineData("application/openmetrics-text", true)]
    [InlineData("application/openmetrics-text; version=0.0.1; q=0.75, text/plain; version=0.0.4; q=0.5", true)]
    [InlineData("application/openmetrics-text; version=1.0.0; q=0.2, text/plain; version=0.0.4; q=0.5", false)]
    [InlineData("application/openmetrics-text; version=2.0.0", false)]
    [InlineData("application/openmetrics-text; q=0", false)]
    [InlineData("nonsense;;;,", false)]
    [InlineData("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;"
        + "q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1", true)]
    public void OpenMetricsIsForWhoPrefersIt(string accept, bool openMetrics) =>
        Assert.Equal(openMetrics, MetricsPage.WantsOpenMetrics([accept]));

    static MetricFamily Family(Instrument instrument) => new(instrument);

    static string Unescape(string text)
    {
        var plain = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            plain.Append(text[i] != '\\' ? text[i] : text[++i] == 'n' ? '\n' : text[i]);
        }
        return plain.ToString();
    }

    [GeneratedRegex("""^hearth_any_total\{l="(?<label>(?:[^"\\\n]|\\["\\n])*)"\} (?<value>\S+)$""")]
    private static partial Regex SampleLine();
}
