using System.Text;
using System.Text.Json.Nodes;
using Xunit;

namespace Hearth.Chart.Tests;

/// <summary>Every set of values is linted strictly, rendered by a real helm, and of a kind that the API's schemas know to the
/// last key.</summary>
public sealed class MatrixTests
{
    const int CasesMin = 25;

    [Fact]
    public async Task EveryCaseRendersObjectsThatTheApiKnows()
    {
        foreach (var one in ChartCase.All)
        {
            var linted = await ChartCase.HelmAsync("lint", "--strict", Tools.Chart, "--values", one.Path);
            Assert.True(linted.Code == 0, $"{one.Name}: {linted.Output}{linted.Error}");
        }
        var rendered = await ChartCase.RenderAllAsync();
        Assert.True(rendered.Count >= CasesMin);
        var objects = rendered.SelectMany(r => r.Rendered.Objects.Select(o => (r.Case, Object: o))).ToList();

        var faults = await CheckAsync(objects.Select(o => o.Object.Json));

        var summary = Summary(rendered);
        Directory.CreateDirectory(Tools.Out);
        await File.WriteAllTextAsync(Path.Combine(Tools.Out, "matrix.txt"), summary, TestContext.Current.CancellationToken);
        TestContext.Current.SendDiagnosticMessage(summary);
        TestContext.Current.TestOutputHelper?.WriteLine(summary);
        Assert.Empty(faults.Select(f => $"{objects[f.Index].Case.Name}: {objects[f.Index].Object.Id}{f.Text}"));
    }

    [Fact]
    public async Task TheCheckFindsAWrongTypeAndAKeyThatNobodyKnows()
    {
        var pod = Yaml.Read("""
            apiVersion: v1
            kind: Pod
            metadata: {name: wrong}
            spec:
              containers:
                - {name: a, image: b, imagePullPolicyy: Always, ports: [{containerPort: "80"}], resources: {limits: {cpu: "1"}}}
            """);
        var faults = (await CheckAsync(pod)).Select(f => f.Text).ToList();
        Assert.Equal(2, faults.Count);
        Assert.Contains(faults, f => f.StartsWith("/spec/containers/0/ports/0/containerPort:", StringComparison.Ordinal));
        Assert.Contains("/spec/containers/0/imagePullPolicyy: unknown key", faults);
    }

    static async Task<IReadOnlyList<(int Index, string Text)>> CheckAsync(IEnumerable<JsonNode> objects)
    {
        var modules = await Tools.ModulesAsync();
        var json = new JsonArray([.. objects.Select(o => o.DeepClone())]).ToJsonString();
        var ended = await Tools.RunAsync("node", [Path.Combine(Tools.Here, "node", "check.mjs"), modules], json);
        Assert.True(ended.Code == 0, ended.Error);
        return [.. JsonNode.Parse(ended.Output)!.AsArray().SelectMany(found => found!["faults"]!.AsArray().Select(fault =>
            (found["index"]!.GetValue<int>(), fault!.GetValue<string>())))];
    }

    static string Summary(IReadOnlyList<(ChartCase Case, Rendered Rendered)> rendered)
    {
        var kinds = rendered.SelectMany(r => r.Rendered.Objects.Select(o => o.Kind)).Distinct().Order(StringComparer.Ordinal)
            .ToList();
        var objects = rendered.SelectMany(r => r.Rendered.Objects).ToList();
        var text = new StringBuilder($"{rendered.Count} sets of values, {objects.Count} objects of {kinds.Count} kinds, ")
            .Append($"{objects.Sum(o => o.Containers.Count())} containers\n");
        foreach (var (one, result) in rendered)
        {
            var counts = result.Objects.GroupBy(o => o.Kind).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g =>
                $"{g.Key} {g.Count()}");
            text.Append($"{one.Name,-32} {result.Objects.Count,3}: {string.Join(", ", counts)}\n");
        }
        return text.ToString();
    }
}
