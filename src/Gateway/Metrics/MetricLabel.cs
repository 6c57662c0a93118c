using System.Diagnostics.Metrics;

namespace Hearth.Gateway;

/// <summary>A label that an instrument declares, as one of its tags: the tag's name, and the values that it may have.</summary>
/// <param name="Values">Null if they are not known beforehand: a model's name.</param>
sealed record MetricLabel(string Name, IReadOnlyList<string>? Values)
{
    /// <summary>What a value becomes that is not in the set.</summary>
    public const string Other = "other";

    /// <summary>The runtime's instruments that are shown declare nothing.</summary>
    static readonly Dictionary<string, MetricLabel[]> s_runtime = new(StringComparer.Ordinal)
    {
        ["dotnet.process.cpu.time"] = [new("cpu.mode", ["user", "system"])],
        ["dotnet.process.memory.working_set"] = [],
        ["dotnet.gc.collections"] = [new("gc.heap.generation", ["gen0", "gen1", "gen2"])],
        ["dotnet.gc.pause.time"] = [],
        ["dotnet.gc.heap.total_allocated"] = [],
        ["dotnet.gc.last_collection.memory.committed_size"] = [],
        ["dotnet.thread_pool.thread.count"] = [],
        ["dotnet.thread_pool.queue.length"] = [],
        ["dotnet.monitor.lock_contentions"] = [],
    };

    /// <summary>What the runtime calls a counter although it goes both ways.</summary>
    public static bool IsLevel(Instrument instrument) =>
        instrument.Name is "dotnet.thread_pool.thread.count" or "dotnet.thread_pool.queue.length";

    public static bool IsShown(Instrument instrument) =>
        instrument.Meter.Name.StartsWith("Hearth.", StringComparison.Ordinal)
        || (instrument.Meter.Name == "System.Runtime" && s_runtime.ContainsKey(instrument.Name));

    public static MetricLabel[] Of(Instrument instrument) => s_runtime.GetValueOrDefault(instrument.Name)
        ?? [.. (instrument.Tags ?? []).Select(tag => new MetricLabel(tag.Key, tag.Value as IReadOnlyList<string>))];

    /// <summary>Every set of values of labels whose values are known, in the order of the labels.</summary>
    public static IEnumerable<string[]> Sets(IReadOnlyList<MetricLabel> labels) => labels.Aggregate(
        (IEnumerable<string[]>)[[]],
        (sets, label) => sets.SelectMany(set => label.Values!.Select(value => (string[])[.. set, value])));
}
