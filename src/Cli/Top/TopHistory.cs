namespace Hearth.Cli.Top;

/// <summary>The samples of the last minute, and what follows from them.</summary>
sealed class TopHistory(TimeProvider time)
{
    static readonly TimeSpan _minute = TimeSpan.FromMinutes(1), _lately = TimeSpan.FromSeconds(5);
    const int SamplesMax = 1024;

    readonly List<ClusterSample> _samples = [];

    /// <param name="sample">Later than those before it.</param>
    public TopReport Add(ClusterSample sample)
    {
        if (sample.Fault is null)
        {
            _samples.Add(sample);
            // One that is older than a minute stays: the minute begins at it.
            while (_samples.Count > SamplesMax || (_samples.Count > 2 && Age(_samples[1], sample) >= _minute))
                _samples.RemoveAt(0);
        }
        var shown = _samples.Count > 0 ? _samples[^1] : sample;
        var minute = new Stretch(_samples, time);
        var recent = _samples.FindAll(s => Age(s, shown) <= _lately);
        var lately = new Stretch(recent.Count > 1 ? recent : _samples[^Math.Min(2, _samples.Count)..], time);
        var silos = shown.Silos.Select(s => RowOf(s, lately, minute)).ToList();
        return new TopReport(shown.Ready, shown.Reason, silos, TotalOf(silos, lately, minute),
            Math.Round(minute.Seconds, 1), FiguresOf(minute),
            [.. sample.Gateways.Select(g => RowOf(g, lately, minute))], sample.Fault);
    }

    TimeSpan Age(ClusterSample sample, ClusterSample now) => time.GetElapsedTime(sample.At, now.At);

    static SiloRow RowOf(SiloSample silo, Stretch lately, Stretch minute) => new(
        silo.Id, silo.Status, silo.Device, silo.Model, silo.BlocksUsed, silo.BlocksTotal, silo.Running, silo.Waiting,
        silo.Conversations, lately.Rate("prompt_tokens", silo.Id), lately.Rate("generated_tokens", silo.Id),
        Part(minute.Grown("cached_tokens", silo.Id), minute.Grown("prompt_tokens", silo.Id)));

    static SiloRow TotalOf(List<SiloRow> silos, Stretch lately, Stretch minute) => new(
        "total", "", "", "", silos.Sum(s => s.BlocksUsed), silos.Sum(s => s.BlocksTotal), silos.Sum(s => s.Running),
        silos.Sum(s => s.Waiting), silos.Sum(s => s.Activations), lately.Rate("prompt_tokens"), lately.Rate("generated_tokens"),
        Part(minute.Grown("cached_tokens"), minute.Grown("prompt_tokens")));

    static MinuteFigures FiguresOf(Stretch minute) => new(
        minute.Grown("turns_hit"), minute.Grown("turns_restored"), minute.Grown("turns_pulled"), minute.Grown("turns_recomputed"),
        minute.Grown("turns_new"), minute.Grown("moves_in"), minute.Grown("takeovers"),
        (long)minute.GrownAt(null, m => m.Sum(Refusals)),
        (long)minute.GrownAt(null, m => m.Sum(Ended) - m.Sum(Ended, "outcome=\"ok\"") - m.Sum(Ended, "outcome=\"cancelled\"")));

    static GatewayRow RowOf(GatewaySample gateway, Stretch lately, Stretch minute)
    {
        if (gateway.Metrics is not { } metrics)
            return new GatewayRow(gateway.Url, 0, 0, null, null, null, null, gateway.Fault);
        var first = minute.GrownBuckets(gateway.Url, FirstText);
        return new GatewayRow(gateway.Url, (int)metrics.Sum("hearth_gateway_turns_running"),
            (int)metrics.Sum("hearth_gateway_stream_clients"), PerSecond(Ended), PerSecond(Refusals),
            Quantile(first, 0.5), Quantile(first, 0.95), null);

        double? PerSecond(string name) => lately.PerSecond(lately.GrownAt(gateway.Url, m => m.Sum(name)));
    }

    const string Ended = "hearth_gateway_turns_total", Refusals = "hearth_gateway_turns_refused_total";
    const string FirstText = "gen_ai_server_time_to_first_token_seconds";

    static double? Part(long part, long whole) => whole > 0 ? Math.Round((double)part / whole, 4) : null;

    /// <summary>As Prometheus' histogram_quantile: evenly spread within a bucket.</summary>
    static double? Quantile(SortedDictionary<double, double> buckets, double part)
    {
        var rank = part * buckets.Values.LastOrDefault();
        if (rank <= 0)
            return null;
        var (below, countBelow) = (0.0, 0.0);
        foreach (var (bound, count) in buckets)
        {
            if (count >= rank)
            {
                return double.IsInfinity(bound) ? below
                    : Math.Round(below + ((bound - below) * (rank - countBelow) / (count - countBelow)), 4);
            }
            (below, countBelow) = (bound, count);
        }
        return below;
    }

    /// <summary>Samples in a row, and what grew between the first and the last. A counter that fell began again at 0.</summary>
    sealed class Stretch(List<ClusterSample> samples, TimeProvider time)
    {
        public double Seconds => samples.Count < 2 ? 0 : time.GetElapsedTime(samples[0].At, samples[^1].At).TotalSeconds;

        public double? Rate(string count, string? silo = null) => PerSecond(Grown(count, silo));

        public double? PerSecond(double growth) => Seconds > 0 ? Math.Round(growth / Seconds, 2) : null;

        /// <summary>Of one silo or of all, those that came or went meanwhile too.</summary>
        public long Grown(string count, string? silo = null) => (long)Growth(
            s => s.Silos.Where(i => silo is null || i.Id == silo).Select(i => (i.Id, (double)i.Count(count))),
            isNewFromZero: true);

        /// <summary>Of one gateway or of all.</summary>
        public double GrownAt(string? gateway, Func<MetricsText, double> read) => Growth(
            s => s.Gateways.Where(g => g.Metrics is not null && (gateway is null || g.Url == gateway))
                .Select(g => (g.Url, read(g.Metrics!))), isNewFromZero: false);

        public SortedDictionary<double, double> GrownBuckets(string gateway, string histogram)
        {
            var last = samples.LastOrDefault()?.Gateways.FirstOrDefault(g => g.Url == gateway);
            var bounds = last?.Metrics?.Buckets(histogram).Keys;
            var grown = new SortedDictionary<double, double>();
            foreach (var bound in bounds ?? Enumerable.Empty<double>())
                grown[bound] = GrownAt(gateway, m => m.Buckets(histogram).GetValueOrDefault(bound));
            return grown;
        }

        double Growth(Func<ClusterSample, IEnumerable<(string Source, double Value)>> read, bool isNewFromZero)
        {
            var (last, sum, isFirst) = (new Dictionary<string, double>(), 0.0, true);
            foreach (var sample in samples)
            {
                foreach (var (source, value) in read(sample))
                {
                    var before = last.TryGetValue(source, out var known) ? known : isFirst || !isNewFromZero ? value : 0;
                    sum += value >= before ? value - before : value;
                    last[source] = value;
                }
                isFirst = false;
            }
            return sum;
        }
    }
}
