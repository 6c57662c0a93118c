using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Chart.Tests;

/// <summary>What the chart hands to the program, the program takes: by its own parser, and in its own list of
/// variables.</summary>
public sealed partial class CommandLineTests
{
    /// <summary>Variables that are the runtime's or the chart's own.</summary>
    static readonly HashSet<string> _others = ["POD_IP", "POD_NAME", "REDIS_PASSWORD", "DOTNET_EnableDiagnostics"];

    [Fact]
    public async Task TheProgramKnowsEveryVariable()
    {
        var known = new Dictionary<string, HashSet<string>>();
        foreach (var (one, container) in await OursAsync())
        {
            var verb = Verb(container);
            if (!known.TryGetValue(verb, out var names))
            {
                var help = await HearthAsync([.. verb.Split(' '), "--help"]);
                known[verb] = names = [.. Variable().Matches(help.Output).Select(m => m.Groups[1].Value)];
            }
            Assert.All(Manifest.List(container["env"]).Select(e => e["name"]!.GetValue<string>()), name =>
                Assert.True(names.Contains(name) || _others.Contains(name), $"{one.Name}: hearth {verb} does not know {name}"));
        }
    }

    /// <summary>With no address of Redis, a silo or a gateway gets as far as asking for it: everything else was read and is in
    /// order.</summary>
    [Fact]
    public async Task TheProgramTakesEveryArgument()
    {
        var tried = new HashSet<string>();
        var folder = Directory.CreateDirectory(Path.Combine(Tools.Out, "args"));
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "key"), new string('k', 48),
            TestContext.Current.CancellationToken);
        foreach (var (one, container) in await OursAsync())
        {
            var arguments = Manifest.Texts(container["args"])
                .Select(a => Resolve(a, Path.Combine(folder.FullName, "key"))).ToArray();
            // Names of clusters differ and matter to nobody.
            if (!tried.Add(string.Join(' ', arguments.Where(a => !a.StartsWith("--cluster=", StringComparison.Ordinal)))))
                continue;
            var ended = await HearthAsync(arguments);
            var cuda = PolicyTests.Argument(container, "--device") is "cuda:0";
            var expected = Verb(container) switch
            {
                "silo" => cuda ? "--device cuda:0: " : "--redis: name",
                "gateway" => "--redis: name",
                "model verify" => "is not a directory",
                _ => "answers at",
            };
            Assert.True(ended.Error.Contains(expected, StringComparison.Ordinal),
                $"{one.Name}: hearth {string.Join(' ', arguments)}\n{ended.Error}");
        }
        Assert.True(tried.Count > 20);
    }

    [Fact]
    public async Task AnArgumentThatIsNoneIsSeen()
    {
        var ended = await HearthAsync(["gateway", "--no-such-flag=1"]);
        Assert.Equal(2, ended.Code);
        Assert.Contains("--no-such-flag", ended.Error, StringComparison.Ordinal);
    }

    static async Task<IReadOnlyList<(ChartCase Case, JsonNode Container)>> OursAsync() =>
        [.. (await ChartCase.RenderAllAsync()).SelectMany(r => r.Rendered.Objects.SelectMany(o => o.Containers)
            .Where(c => c["command"] is null).Select(c => (r.Case, c)))];

    static string Resolve(string argument, string keyFile)
    {
        var text = argument.Replace("[$(POD_IP)]", "[::1]", StringComparison.Ordinal)
            .Replace("$(POD_IP)", "127.0.0.1", StringComparison.Ordinal)
            .Replace("$(POD_NAME)", "hearth-silo-0", StringComparison.Ordinal);
        return KeyFile().Replace(text, keyFile);
    }

    static string Verb(JsonNode container) =>
        string.Join(' ', Manifest.Texts(container["args"]).TakeWhile(a =>
            a is "gateway" or "silo" or "model" or "verify" or "health" or "chat"));

    static Task<Ended> HearthAsync(string[] arguments) => Tools.RunAsync("dotnet", [HearthNode.Program, .. arguments],
        environment: new Dictionary<string, string?> { ["NO_COLOR"] = "1", ["HEARTH_REDIS"] = null });

    [GeneratedRegex(@"\((HEARTH_[A-Z_0-9]+)\)")]
    private static partial Regex Variable();

    [GeneratedRegex("/run/hearth/secrets/.*")]
    private static partial Regex KeyFile();
}
