using System.Security.Cryptography;
using Hearth.Chart.Tests.Kubelet;
using Hearth.Cluster.Tests.Rig;
using Xunit;

namespace Hearth.Chart.Tests;

/// <summary>The chart is proved by running what it would run: the command lines and variables of the rendered containers, as
/// processes on this machine.</summary>
public sealed class RunTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>With generated secrets, with the operator's own, with the model copied by an init container, with two servers
    /// of Redis, and open to everybody.</summary>
    [Theory]
    [InlineData("05-model-copied")]
    [InlineData("10-spill-redis")]
    [InlineData("18-anonymous")]
    [InlineData("23-upgrade")]
    public async Task WhatIsRenderedServesAChat(string name)
    {
        Assert.SkipWhen(Tools.Find("redis-server") is null, "redis-server is not installed.");
        var rendered = await ChartCase.Of(name).RenderAsync();
        await using var world = new World(rendered) { FillClaim = CopyDemo, Hurried = true };
        await world.InstallAsync(Cancellation);
        using var client = new GatewayClient(world.Gateways.Url.ToString());
        var key = rendered.Objects.FirstOrDefault(o => o.Kind == "Secret") is { } secret
            ? world.Secret(secret.Name)["api-key"] : World.ApiKey;
        client.Http.DefaultRequestHeaders.Authorization = new("Bearer", key);

        var first = await client.ChatAsync(Turns.Brief("chart", Turns.Opening), Cancellation);
        var second = await client.ChatAsync(Turns.Brief("chart", "What is my name?"), Cancellation);

        Assert.True(first.ReplyTokens > 0);
        Assert.Equal("hit", second.Cache);
        await HelmTestAsync(world, rendered);
    }

    /// <summary>The pods of `helm test`, in their order.</summary>
    static async Task HelmTestAsync(World world, Rendered rendered)
    {
        foreach (var test in rendered.Objects.Where(o => o.Kind == "Pod").OrderBy(o =>
            o.Json["metadata"]!["annotations"]!["helm.sh/hook-weight"]!.ToString()))
        {
            using var sandbox = new PodSandbox(world, test.Name, test.Pod!);
            var container = test.Running.Single();
            await using var process = HearthNode.Start(test.Name, sandbox.Arguments(container), sandbox.Environment(container));
            var code = await process.EndAsync(TimeSpan.FromSeconds(30), Cancellation);
            Assert.True(code == 0, $"{test.Name} ended with {code}: {process.Output}");
        }
    }

    static void CopyDemo(string claim, string folder)
    {
        Assert.Equal("models", claim);
        var demo = Directory.CreateDirectory(Path.Combine(folder, "demo"));
        foreach (var file in Directory.GetFiles(Path.Combine(Tools.Root, "models", "demo")))
            File.Copy(file, Path.Combine(demo.FullName, Path.GetFileName(file)));
        File.WriteAllLines(Path.Combine(demo.FullName, "SHA256SUMS"), demo.GetFiles().Select(file =>
            $"{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file.FullName)))}  {file.Name}"));
    }
}
