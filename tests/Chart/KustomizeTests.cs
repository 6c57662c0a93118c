using System.Text;
using System.Text.Json.Nodes;
using Xunit;

namespace Hearth.Chart.Tests;

/// <summary>The plain manifests in k8s/ are what the chart renders, without helm's own labels.</summary>
public sealed class KustomizeTests
{
    static readonly string[] _helmsOwn = ["helm.sh/chart", "app.kubernetes.io/managed-by"];

    static string Folder => Path.Combine(Tools.Root, "k8s");

    [Fact]
    public async Task TheBaseIsWhatTheChartRenders()
    {
        var text = await RenderAsync("base", "default");
        var files = text.Split("---\n", StringSplitOptions.RemoveEmptyEntries).Select(Plain).GroupBy(d =>
            new Manifest(Yaml.Read(d).Single()).At("metadata.labels")!["app.kubernetes.io/component"]!.GetValue<string>());
        foreach (var file in files)
            await GoldenTests.SameAsync(string.Join("---\n", file), Path.Combine(Folder, "base", $"{file.Key}.yaml"));
        Assert.Equal(files.Select(f => $"{f.Key}.yaml").Append("kustomization.yaml").Order(),
            Directory.GetFiles(Path.Combine(Folder, "base")).Select(f => Path.GetFileName(f)).Order());
    }

    [Theory]
    [InlineData("cpu-demo")]
    [InlineData("gpu")]
    public async Task AnOverlayIsWhatTheChartRendersWithItsValues(string overlay)
    {
        Assert.SkipWhen(Tools.Find("kubectl") is null, "kubectl is not installed.");
        var kustomized = await Tools.RunAsync("kubectl", ["kustomize", Path.Combine(Folder, "overlays", overlay)]);
        Assert.True(kustomized.Code == 0, kustomized.Error);
        var chart = Objects(await RenderAsync(overlay, "hearth"));
        var plain = Objects(kustomized.Output);
        Assert.Equal(chart.Keys, plain.Keys);
        Assert.All(chart, made => Assert.Equal(made.Value, plain[made.Key]));
    }

    [Fact]
    public async Task TheSecretsThatAreMadeAreThoseThatAreAskedFor()
    {
        var made = await Tools.RunAsync("bash", [Path.Combine(Folder, "make-secrets.sh"), "chat"]);
        var secret = new Manifest(Yaml.Read(made.Output).Single());
        Assert.Equal(["api-key", "api-keys", "cluster-key", "redis-password", "spill-keys"],
            Manifest.Map(secret.At("stringData")).Keys.Order(StringComparer.Ordinal));
        Assert.Equal(32, Convert.FromBase64String(secret.At("stringData")!["spill-keys"]!.GetValue<string>()).Length);
        var asked = (await ChartCase.Of("02-cpu-demo").RenderAsync()).Text;
        Assert.DoesNotContain("hearth-hearth-secrets", asked, StringComparison.Ordinal);
        Assert.Contains($"name: {secret.Name}, key: redis-password", asked, StringComparison.Ordinal);
    }

    static async Task<string> RenderAsync(string values, string space)
    {
        var files = new[] { "base", values }.Distinct().SelectMany(v => new[] { "--values", Path.Combine(Folder, "values",
            $"{v}.yaml") });
        var ended = await ChartCase.HelmAsync(
            "template", ["hearth", Tools.Chart, "--namespace", space, "--kube-version", "1.31.0", .. files]);
        Assert.True(ended.Code == 0, ended.Error);
        return ended.Output;
    }

    /// <summary>A document without what is helm's.</summary>
    static string Plain(string document) => new StringBuilder().AppendJoin("", document.Split('\n')
        .Where(l => l.Length > 0 && !l.StartsWith("# Source:", StringComparison.Ordinal) && l != "  namespace: default"
            && !_helmsOwn.Any(own => l.Trim().StartsWith(own, StringComparison.Ordinal))).Select(l => l + "\n")).ToString();

    static SortedDictionary<string, string> Objects(string text)
    {
        var objects = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var json in Yaml.Read(text))
        {
            Array.ForEach(_helmsOwn, own => (json["metadata"]!["labels"] as JsonObject)?.Remove(own));
            // Says that the configuration is another one, in one way or the other.
            (json["spec"]?["template"]?["metadata"]?["annotations"] as JsonObject)?.Remove("checksum/config");
            // A patch of a patch loses the last line's end.
            foreach (var (file, content) in (json["data"] as JsonObject)?.ToList() ?? [])
                json["data"]![file] = content!.GetValue<string>().TrimEnd('\n');
            objects[new Manifest(json).Id] = Yaml.Sorted(json)!.ToString();
        }
        return objects;
    }
}
