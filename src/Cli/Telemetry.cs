using System.CommandLine;
using System.Diagnostics;
using System.Reflection;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Hearth.Cli;

/// <summary>Sends metrics and traces to a collector, if one is named by <c>--otlp</c> or by OpenTelemetry's own variables
/// (OTEL_EXPORTER_OTLP_ENDPOINT and its kin), which are followed in all else. Disposing it sends what is left.</summary>
sealed class Telemetry : IDisposable
{
    static readonly int _sendAtEnd = (int)TimeSpan.FromSeconds(2).TotalMilliseconds;

    readonly MeterProvider? _metrics;
    readonly TracerProvider? _traces;

    Telemetry(Uri? collector, string role)
    {
        var version = typeof(Telemetry).Assembly
            .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
        var resource = ResourceBuilder.CreateDefault()
            .AddService($"hearth-{role}", "hearth", version.Split('+')[0])
            // Their own variables, such as OTEL_SERVICE_NAME, count for more.
            .AddEnvironmentVariableDetector();
        if (IsOn("OTEL_METRICS_EXPORTER"))
        {
            _metrics = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter("Hearth.*", "System.Runtime")
                .AddOtlpExporter(options => Point(options, collector, "v1/metrics")).Build();
        }
        if (IsOn("OTEL_TRACES_EXPORTER"))
        {
            _traces = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource)
                .AddSource("Hearth.*", "Microsoft.AspNetCore").AddProcessor(new NoProbes())
                .AddOtlpExporter(options => Point(options, collector, "v1/traces")).Build();
        }
    }

    public static Option<string?> Collector { get; } = Flag.Text("--otlp",
        "Address of an OpenTelemetry collector that takes OTLP over HTTP, as http://127.0.0.1:4318; none if not given");

    /// <returns>Null when nobody wants to know.</returns>
    public static Telemetry? Start(ParseResult arguments, string role)
    {
        var given = arguments.GetValue(Collector);
        if (string.IsNullOrEmpty(given))
        {
            return Environment.GetEnvironmentVariables().Keys.Cast<string>().Any(name =>
                name.StartsWith("OTEL_EXPORTER_OTLP_", StringComparison.Ordinal)
                && name.EndsWith("ENDPOINT", StringComparison.Ordinal)) ? new Telemetry(null, role) : null;
        }
        if (!Uri.TryCreate(given, UriKind.Absolute, out var collector) || collector.Scheme is not ("http" or "https"))
            throw new CliException($"--otlp: '{given}' is no address; give one such as http://127.0.0.1:4318.", ExitCodes.Usage);
        return new Telemetry(collector, role);
    }

    public void Dispose()
    {
        // A collector that does not answer must not hold a process that is to end.
        _traces?.Shutdown(_sendAtEnd);
        _metrics?.Shutdown(_sendAtEnd);
        _traces?.Dispose();
        _metrics?.Dispose();
    }

    static bool IsOn(string variable) =>
        Environment.GetEnvironmentVariable("OTEL_SDK_DISABLED") is not "true"
        && Environment.GetEnvironmentVariable(variable) is not "none";

    static void Point(OtlpExporterOptions options, Uri? collector, string path)
    {
        if (collector is null)
            return;
        options.Protocol = OtlpExportProtocol.HttpProtobuf;
        options.Endpoint = new Uri($"{collector.ToString().TrimEnd('/')}/{path}");
    }

    /// <summary>Leaves out what asks all the time whether the process is well.</summary>
    sealed class NoProbes : BaseProcessor<Activity>
    {
        public override void OnEnd(Activity data)
        {
            if (data.Source.Name == "Microsoft.AspNetCore" && data.DisplayName is var name
                && (name.Contains(" /health/", StringComparison.Ordinal) || name.EndsWith(" /metrics", StringComparison.Ordinal)))
            {
                data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
            }
        }
    }
}
