using System.CommandLine;
using Hearth.Silo;

namespace Hearth.Cli;

/// <summary>The flags of a process that holds a model.</summary>
static class ModelFlags
{
    public static Option<string?> Model { get; } =
        Flag.Text("--model", "The checkpoint's directory or .gguf file, or PATH=NAME; the demo model if not given");

    public static Option<string?> Device { get; } =
        Flag.Text("--device", "What computes: cpu, cuda:N for a graphics card, or cuda:0,cuda:1 for a model over several", "cpu");

    public static Option<string?> MaxMemory { get; } =
        Flag.Sizes("--max-memory", "Memory of each graphics card that may be used, such as 20g,30g; what is free if not given");

    public static Option<bool> Deterministic { get; } = Flag.Switch("--deterministic",
        "On a graphics card: replies do not depend on what else is computed with them, at a cost; on cpu they never do");

    public static Option<int> Threads { get; } = Flag.Number("--threads", "Threads of the model; 0 takes one per processor", 0);

    public static Option<string?> KvMemory { get; } =
        Flag.Size("--kv-memory",
            "Memory of the caches in use; if not given a quarter of the machine's, up to 4g, or what the model leaves of a card");

    public static Option<string?> HostMemory { get; } =
        Flag.Size("--host-memory", "Memory of caches set aside; an eighth of the machine's, up to 4g, if not given");

    public static Option<string?> KvType { get; } =
        Flag.Text("--kv-type", "How keys and values are kept: f32, f16 or bf16", "f16");

    public static Option<string?> Quantize { get; } =
        Flag.Text("--quantize", "Round weights on load: q8 or q4; as they are stored if not given");

    public static Option<string?> Cache { get; } = Flag.Text(
        "--cache", "How caches are kept where a request does not say: dynamic, static, sliding, offloaded or none", "dynamic");

    public static Option<int> Context { get; } =
        Flag.Number("--context", "Most tokens of a conversation; 0 takes the model's", 0);

    public static Option<int> MaxBatchTokens { get; } = Flag.Number("--max-batch-tokens", "Tokens of one step", 512);

    public static Option<int> MaxQueue { get; } =
        Flag.Number("--max-queue", "Turns that wait for a place in a step; one more is refused at once", 256);

    public static IReadOnlyList<Option> All { get; } =
    [
        Model, Device, MaxMemory, Deterministic, Threads, KvMemory, HostMemory, KvType, Cache, Quantize, Context, MaxBatchTokens,
        MaxQueue,
    ];

    /// <exception cref="SiloException">There is no such device.</exception>
    public static ModelSettings Read(ParseResult arguments)
    {
        var settings = ReadSettings(arguments);
        settings.RequireDevice();
        return settings;
    }

    public static ModelSettings ReadSettings(ParseResult arguments)
    {
        var demo = Path.Combine(AppContext.BaseDirectory, "models", "demo");
        var model = (arguments.GetValue(Model) ?? demo).Split('=', 2);
        var settings = new ModelSettings
        {
            Directory = model[0],
            Name = model.Length > 1 ? model[1] : null,
            Device = arguments.GetValue(Device)!,
            MaxMemoryBytes = [.. arguments.GetValue(MaxMemory)?.Split(',').Select(ByteSize.Parse) ?? []],
            Deterministic = arguments.GetValue(Deterministic),
            Threads = arguments.GetValue(Threads),
            KvType = arguments.GetValue(KvType)!,
            Quantize = arguments.GetValue(Quantize),
            Cache = arguments.GetValue(Cache)!,
            ContextLength = arguments.GetValue(Context) is > 0 and var context ? context : null,
            MaxBatchTokens = arguments.GetValue(MaxBatchTokens),
            MaxQueue = arguments.GetValue(MaxQueue),
        };
        return settings with
        {
            KvMemoryBytes = Flag.Bytes(arguments.GetValue(KvMemory)) ?? (settings.IsCuda ? 0 : settings.KvMemoryBytes),
            HostMemoryBytes = Flag.Bytes(arguments.GetValue(HostMemory)) ?? settings.HostMemoryBytes,
        };
    }
}
