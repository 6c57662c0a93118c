using System.Diagnostics;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Chart.Tests;

/// <summary>What can be proved of the image without an engine that builds it: its layout runs as the image would be run, and
/// its two descriptions and the chart agree.</summary>
public sealed partial class ImageTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>User 1654, no capability, every file system read-only but /tmp, and no program there but this one.</summary>
    [Fact]
    public async Task ThePublishedLayoutServesFromABareReadOnlyRootAsNobodySpecial()
    {
        Assert.SkipUnless(Environment.UserName == "root" && Tools.Find("unshare") is not null
            && Tools.Find("setpriv") is not null,
            "needs root, unshare and setpriv for the mounts");
        Assert.SkipUnless((await Tools.RunAsync("unshare", ["--mount", "true"])).Code == 0, "mounts are not allowed here");
        var published = await PublishAsync();
        var root = Directory.CreateTempSubdirectory("hearth-root-").FullName;
        using var process = Start(published, root, "serve", "--urls", "http://127.0.0.1:0", "--data", "/tmp/hearth",
            "--threads", "1");
        try
        {
            var url = await ReadyAsync(process);
            using var client = new GatewayClient(url);
            var reply = await client.ChatAsync(Turns.Brief("bare", Turns.Opening), Cancellation);
            Assert.True(reply.ReplyTokens > 0);

            var status = await File.ReadAllTextAsync($"/proc/{process.Id}/status", Cancellation);
            Assert.Matches(@"Uid:\s+1654\s+1654\s+1654\s+1654", status);
            Assert.Matches(@"CapEff:\s+0+\n", status);
            Assert.Matches(@"NoNewPrivs:\s+1", status);
            var mounts = await File.ReadAllLinesAsync($"/proc/{process.Id}/mounts", Cancellation);
            Assert.Equal(["/tmp"], mounts.Select(m => m.Split(' ')).Where(m => m[3].StartsWith("rw", StringComparison.Ordinal)
                && m[1] is not "/proc" && !m[1].StartsWith("/dev/", StringComparison.Ordinal)).Select(m => m[1]));
            Assert.All(["bin", "sbin", "usr/bin", "usr/sbin"], folder =>
                Assert.False(Directory.Exists($"/proc/{process.Id}/root/{folder}")));
        }
        finally
        {
            using var term = Process.Start("kill", ["-TERM", $"{process.Id}"]);
            await process.WaitForExitAsync(Cancellation).WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        }
        Assert.Equal(0, process.ExitCode);
        var refused = await Tools.RunAsync(Script, [published, root, "serve", "--urls", "http://127.0.0.1:0", "--data", "/data"]);
        Assert.Contains("Read-only file system", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void TheDockerfileAndThePublishedImageAreTheSame()
    {
        var docker = File.ReadAllText(Path.Combine(Tools.Root, "Dockerfile"));
        var project = XDocument.Load(Path.Combine(Tools.Root, "src", "Cli", "Cli.csproj"));
        string Property(string name) => project.Descendants(name).Single().Value;
        string[] Items(string name) => [.. project.Descendants(name).SelectMany(i => i.Attribute("Include")!.Value.Split(';'))];
        string Line(string word) => Regex.Match(docker, $"^{word} (.*)$", RegexOptions.Multiline | RegexOptions.RightToLeft)
            .Groups[1].Value;

        Assert.Equal(Property("ContainerBaseImage"), Regex.Match(docker, "^ARG RUNTIME=([^@\n]*)", RegexOptions.Multiline)
            .Groups[1].Value);
        Assert.Equal($"{Property("ContainerUser")}:{Property("ContainerUser")}", Line("USER"));
        Assert.Equal(Property("ContainerWorkingDirectory"), Line("WORKDIR"));
        Assert.Equal($"[\"{Items("ContainerAppCommand").Single()}\"]", Line("ENTRYPOINT"));
        Assert.Equal($"[{string.Join(", ", Items("ContainerDefaultArgs").Select(a => $"\"{a}\""))}]", Line("CMD"));
        Assert.Equal(Items("ContainerPort"), Line("EXPOSE").Split(' '));
        Assert.All(project.Descendants("ContainerEnvironmentVariable"), variable =>
            Assert.Contains($"{variable.Attribute("Include")!.Value}={variable.Attribute("Value")!.Value}", docker,
                StringComparison.Ordinal));
        Assert.DoesNotContain(":latest", docker, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheDockerfileRestoresEveryProjectAndTheChartUsesItsUserAndPorts()
    {
        var docker = await File.ReadAllTextAsync(Path.Combine(Tools.Root, "Dockerfile"), Cancellation);
        Assert.Equal(Directory.GetDirectories(Path.Combine(Tools.Root, "src")).Select(d => Path.GetFileName(d))
            .Order(StringComparer.Ordinal),
            Restored().Matches(docker).Select(m => m.Groups[1].Value).Order(StringComparer.Ordinal));
        var exposed = Regex.Match(docker, "^EXPOSE (.*)$", RegexOptions.Multiline).Groups[1].Value.Split(' ');
        foreach (var pod in (await ChartCase.Of("02-cpu-demo").RenderAsync()).Objects.Where(o => o.Pod is not null
            && o.Name != "hearth-redis"))
        {
            Assert.Equal(1654, pod.Pod!["spec"]!["securityContext"]!["runAsUser"]!.GetValue<int>());
            Assert.Subset(exposed.ToHashSet(), pod.Running.SelectMany(c => Manifest.List(c["ports"]))
                .Select(p => p["containerPort"]!.ToString()).ToHashSet());
        }
    }

    static string Script => Path.Combine(Tools.Here, "bare.sh");

    static async Task<string> PublishAsync()
    {
        var to = Path.Combine(Tools.Out, "app");
        var project = Path.Combine(Tools.Root, "src", "Cli", "Cli.csproj");
        var ended = await Tools.RunAsync("dotnet", ["publish", project, "-c", "Release", "--no-build", "-o", to, "-v", "q",
            "--nologo"]);
        Assert.True(ended.Code == 0, ended.Output);
        return to;
    }

    static Process Start(string published, string root, params string[] arguments) =>
        Process.Start(new ProcessStartInfo(Script, [published, root, .. arguments]) { RedirectStandardOutput = true })!;

    static async Task<string> ReadyAsync(Process process)
    {
        while (await process.StandardOutput.ReadLineAsync(Cancellation) is { } line)
        {
            if (Address().Match(line) is { Success: true } found)
                return found.Groups[1].Value;
        }
        throw new InvalidOperationException("hearth ended before it was ready");
    }

    [GeneratedRegex(@"^Ready in .* at (http://[\d.]+:\d+)")]
    private static partial Regex Address();

    [GeneratedRegex(@"^COPY src/(\w+)/\*\.csproj src/\1/packages\.lock\.json src/\1/$", RegexOptions.Multiline)]
    private static partial Regex Restored();
}
