using System.Text.RegularExpressions;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Operate.Tests;

/// <summary>The pages that somebody reads at three in the morning: nothing they point to is missing.</summary>
public sealed partial class RunbookTests
{
    static readonly string s_folder = Path.Combine(HearthNode.Root, "docs", "operate");

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task EveryAlertHasASectionThatItsLinkLeadsTo()
    {
        var headings = Headings(await File.ReadAllTextAsync(Path.Combine(s_folder, "alerts.md"), Cancellation));
        var alerts = await RuleTests.AlertsAsync();
        Assert.Equal(alerts.Order(), alerts.Where(a => headings.Contains(a.ToLowerInvariant())).Order());
        var rules = await File.ReadAllTextAsync(Path.Combine(Prometheus.Alerts, "alerts.yaml"), Cancellation);
        Assert.Equal(alerts.Select(a => a.ToLowerInvariant()), Runbook().Matches(rules).Select(m => m.Groups[1].Value));
    }

    [Fact]
    public async Task EveryLinkLeadsSomewhere()
    {
        var broken = new List<string>();
        foreach (var page in Directory.GetFiles(s_folder, "*.md"))
        {
            foreach (Match link in Link().Matches(await File.ReadAllTextAsync(page, Cancellation)))
            {
                var (path, anchor) = (link.Groups["path"].Value, link.Groups["anchor"].Value);
                var target = path.Length == 0 ? page : Path.GetFullPath(Path.Combine(s_folder, path));
                if (!File.Exists(target) && !Directory.Exists(target))
                    broken.Add($"{Path.GetFileName(page)}: {path}");
                else if (anchor.Length > 0 && !Headings(await File.ReadAllTextAsync(target, Cancellation)).Contains(anchor))
                    broken.Add($"{Path.GetFileName(page)}: {path}#{anchor}");
            }
        }
        Assert.Empty(broken);
    }

    /// <summary>Every command of ours in the pages is one that the program has, with flags that it knows.</summary>
    [Fact]
    public async Task EveryFlagOfHearthInThePagesExists()
    {
        var help = new Dictionary<string, string>();
        var unknown = new List<string>();
        foreach (var page in Directory.GetFiles(s_folder, "*.md"))
        {
            foreach (Match command in Command().Matches(await File.ReadAllTextAsync(page, Cancellation)))
            {
                var verb = command.Groups["verb"].Value.Trim();
                if (!help.TryGetValue(verb, out var known))
                {
                    string[] asked = [HearthNode.Program, .. verb.Split(' '), "--help"];
                    known = help[verb] = (await Programs.RunAsync("dotnet", asked)).Output;
                }
                unknown.AddRange(Flag().Matches(command.Value)
                    .Where(f => !known.Contains($"{f.Value} ", StringComparison.Ordinal))
                    .Select(f => $"{Path.GetFileName(page)}: hearth {verb} {f.Value}"));
            }
        }
        Assert.NotEmpty(help);
        Assert.Empty(unknown.Distinct());
    }

    /// <summary>As GitHub makes them of headings.</summary>
    static HashSet<string> Headings(string text) =>
    [
        .. Heading().Matches(text).Select(
            m => NotInAnchors().Replace(m.Groups[1].Value.ToLowerInvariant(), "").Replace(' ', '-')),
    ];

    [GeneratedRegex(@"^#{1,6} (.+?)\r?$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchors();

    [GeneratedRegex(@"\]\((?!https?://)(?<path>[^)#\s]*)(?:#(?<anchor>[^)\s]+))?\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"runbook_url: docs/operate/alerts\.md#(\S+)")]
    private static partial Regex Runbook();

    /// <summary>A line of a code block that runs the program, with the lines that it goes on in.</summary>
    [GeneratedRegex(
        @"^(?:\$ )?hearth (?<verb>[a-z]+(?: (?:ls|drain|migrate|spill|show|rm|inspect|verify))?)\b(?:.*\\\n)*.*$",
        RegexOptions.Multiline)]
    private static partial Regex Command();

    [GeneratedRegex(@"(?<= )--[a-z][a-z-]*")]
    private static partial Regex Flag();
}
