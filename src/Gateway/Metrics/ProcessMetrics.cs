using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Reflection;

namespace Hearth.Gateway;

/// <param name="Name">silo, gateway or serve.</param>
sealed record ProcessRole(string Name);

/// <summary>What every process says of itself (meter <c>Hearth.Process</c>).</summary>
sealed class ProcessMetrics : IDisposable
{
    public static readonly string Version = typeof(ProcessMetrics).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    static readonly KeyValuePair<string, object?>[] s_labels =
        [new("version", null), new("dotnet", null), new("role", new[] { "silo", "gateway", "serve" })];

    readonly Meter _meter = new("Hearth.Process");

    /// <param name="dropped">Values that the collector did not keep.</param>
    public ProcessMetrics(ProcessRole role, Func<long> dropped)
    {
        var build = new Measurement<int>(1, new("version", Version), new("dotnet", Environment.Version.ToString()),
            new KeyValuePair<string, object?>("role", role.Name));
        _meter.CreateObservableGauge("hearth.build_info", () => build, null, "Always 1: the version that runs.",
            s_labels);
        _meter.CreateObservableCounter("hearth.metrics.dropped", dropped, null,
            "Values not kept because their metric had too many label sets.");
        using var self = Process.GetCurrentProcess();
        var started = new DateTimeOffset(self.StartTime.ToUniversalTime()).ToUnixTimeMilliseconds() / 1000.0;
        _meter.CreateObservableGauge("process.start_time", () => started, "s", "When the process began, in seconds since 1970.");
    }

    public void Dispose() => _meter.Dispose();
}
