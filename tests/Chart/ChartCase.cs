using System.Collections.Concurrent;
using Xunit;

namespace Hearth.Chart.Tests;

/// <summary>A set of values in <c>cases/</c>; its first lines may say for which Kubernetes and with which flags it is
/// rendered.</summary>
sealed record ChartCase(string Name, string Path)
{
    const string Kubernetes = "1.31.0";
    const string Release = "hearth", Namespace = "chat";

    static readonly ConcurrentDictionary<string, Task<Rendered>> _rendered = new();

    public static IReadOnlyList<ChartCase> All { get; } =
        [.. Directory.GetFiles(System.IO.Path.Combine(Tools.Here, "cases"), "*.yaml").Order(StringComparer.Ordinal)
            .Select(path => new ChartCase(System.IO.Path.GetFileNameWithoutExtension(path), path))];

    public static ChartCase Of(string name) => All.Single(c => c.Name.EndsWith(name, StringComparison.Ordinal));

    /// <summary>What `helm install` would send, tests included; rendered once.</summary>
    public Task<Rendered> RenderAsync() => _rendered.GetOrAdd(Name, _ => RenderOnceAsync());

    public static async Task<IReadOnlyList<(ChartCase Case, Rendered Rendered)>> RenderAllAsync()
    {
        var all = new List<(ChartCase, Rendered)>();
        foreach (var one in All)
            all.Add((one, await one.RenderAsync()));
        return all;
    }

    public static async Task<Ended> HelmAsync(string verb, params string[] arguments) =>
        await Tools.RunAsync(await Tools.HelmAsync(), [verb, .. arguments]);

    async Task<Rendered> RenderOnceAsync()
    {
        var ended = await HelmAsync("template", [Release, Tools.Chart, "--namespace", Namespace, "--values", Path, .. Flags()]);
        Assert.True(ended.Code == 0, $"{Name}: {ended.Error}");
        return new Rendered(ended.Output, [.. Yaml.Read(ended.Output).Select(json => new Manifest(json))]);
    }

    IEnumerable<string> Flags()
    {
        var words = File.ReadLines(Path).TakeWhile(l => l.StartsWith('#')).Select(l => l[1..].Trim().Split(": ", 2)).ToList();
        string? Of(string name) => words.Find(w => w[0] == name)?[1];
        return ["--kube-version", Of("kube") ?? Kubernetes,
            .. Of("api") is { } api ? new[] { "--api-versions", api } : [],
            .. Of("args")?.Split(' ') ?? []];
    }
}

sealed record Rendered(string Text, IReadOnlyList<Manifest> Objects)
{
    public Manifest Get(string id) => Objects.Single(o => o.Id == id);
}
