using System.CommandLine;

namespace Hearth.Cli;

/// <summary>The flags of <c>hearth serve</c>.</summary>
static class ServeFlags
{
    public static Option<string?> Model { get; } =
        Flag.Text("--model", "The checkpoint's directory, or DIR=NAME; the demo model if not given");

    public static Option<string?> Urls { get; } = Flag.Text("--urls", "Where to listen, separated by ;", "http://127.0.0.1:8080");

    public static Option<string?> Data { get; } =
        Flag.Text("--data", "Where conversations and their caches are kept", DefaultData());

    public static Option<int> Threads { get; } = Flag.Number("--threads", "Threads of the model; 0 takes one per processor", 0);

    public static Option<long?> KvMemory { get; } =
        Flag.Size("--kv-memory", "Memory of the caches in use; a quarter of the machine's, up to 4g, if not given");

    public static Option<long?> HostMemory { get; } =
        Flag.Size("--host-memory", "Memory of caches set aside; an eighth of the machine's, up to 4g, if not given");

    public static Option<long?> SpillLimit { get; } =
        Flag.Size("--spill-limit", "Most bytes of caches on disk, the oldest go first; 16g if not given");

    public static Option<string?> KvType { get; } =
        Flag.Text("--kv-type", "How keys and values are kept: f32, f16 or bf16", "f16");

    public static Option<int> Context { get; } =
        Flag.Number("--context", "Most tokens of a conversation; 0 takes the model's", 0);

    public static Option<int> MaxBatchTokens { get; } = Flag.Number("--max-batch-tokens", "Tokens of one step", 512);

    public static Option<string?> ApiKeyFile { get; } = Flag.Text("--api-key-file", "File with lines of: key tenant scopes");

    public static Option<bool> Anonymous { get; } = Flag.Switch("--allow-anonymous", "Serve other machines without keys");

    public static Option<string?> AllowedHosts { get; } = Flag.Text("--allowed-hosts", "Accepted Host headers, separated by ;");

    public static Option<string?> CorsOrigins { get; } =
        Flag.Text("--cors-origins", "Web pages that may call the API, separated by ;");

    public static Option<string?> LogLevel { get; } = Flag.Text("--log-level", "debug, information, warning or error", "warning");

    public static IReadOnlyList<Option> All { get; } =
    [
        Model, Urls, Data, Threads, KvMemory, HostMemory, SpillLimit, KvType, Context, MaxBatchTokens, ApiKeyFile, Anonymous,
        AllowedHosts, CorsOrigins, LogLevel,
    ];

    static string DefaultData()
    {
        const Environment.SpecialFolder folder = Environment.SpecialFolder.LocalApplicationData;
        var home = Environment.GetFolderPath(folder, Environment.SpecialFolderOption.DoNotVerify);
        return home.Length > 0 ? Path.Combine(home, "hearth") : "hearth-data";
    }
}
