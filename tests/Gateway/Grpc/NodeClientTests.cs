using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Hearth.Contracts;
using Xunit;

namespace Hearth.Gateway.Tests;

/// <summary>Node's gRPC client against the service, as an outsider would use it. Needs node and npm.</summary>
public sealed class NodeClientTests
{
    static readonly string[] Packages = ["@grpc/grpc-js@1.14.7", "@grpc/proto-loader@0.8.1"];

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task NodesClientUsesEveryMethod()
    {
        var modules = Path.Combine(AppContext.BaseDirectory, "node");
        Directory.CreateDirectory(modules);
        if (!Directory.Exists(Path.Combine(modules, "node_modules", "@grpc", "proto-loader")))
        {
            var (installed, output) = await RunAsync(
                "npm", ["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--prefix", modules, .. Packages], modules);
            Assert.SkipUnless(installed, $"npm cannot install Node's gRPC client: {output}");
        }
        await using var server = await GrpcTests.StartAsync();
        var cluster = server.Cluster;
        cluster.Play = (turn, cancellation) => turn.Conversation.Value == "hang"
            ? ScriptedCluster.Hanging([ScriptedCluster.Started()], cancellation)
            : ScriptedCluster.Events(ScriptedCluster.Numbered(ScriptedCluster.Reply("Hello", " wörld")));
        cluster.Live[(new("conv_1"), new("live"))] = [.. ScriptedCluster.Reply("a", "b", "c")];
        cluster.Conversations[(TenantId.Local, new("c"))] = new ConversationInfo
        {
            Id = "c",
            Silo = "silo-a/1",
            Epoch = 3,
            State = "idle",
            Turns = 2,
            CachedTokens = 20,
            Tier = "device",
            Bytes = 64,
        };
        var address = new Uri(server.App.Urls.Last()).Authority;
        var (ran, json) = await RunAsync("node", [Beside("client.js"), address, Beside("../../../src/Contracts/Protos")], modules);
        Assert.True(ran, json);
        var seen = JsonNode.Parse(json)!;

        Assert.Equal("SERVING", Text(seen, "health", "status"));
        Assert.StartsWith("conv_", Text(seen, "created", "conversation"), StringComparison.Ordinal);
        Assert.Equal(["Hello", " wörld"], Events(seen, "turn").Where(e => Text(e, "event") == "delta").Select(e => Text(e, "delta", "text")));
        Assert.Equal("0", Text(seen, "turn", "code"));
        Assert.Equal(["2", "3", "4", "5"], Events(seen, "resumed").Select(e => Text(e, "sequence")));
        Assert.Equal("true", Text(seen, "cancelled", "cancelled"));
        Assert.Equal("3", Text(seen, "described", "epoch"));
        Assert.Equal("silo-b", Text(seen, "migrated", "silo"));
        Assert.Equal(("5", "not_found"), (Text(seen, "none", "code"), Text(seen, "none", "cause")));
        Assert.Equal(("3", "messages"), (Text(seen, "bad", "code"), Text(seen, "bad", "field")));
        Assert.Equal("4", Text(seen, "deadline", "code"));
        Assert.Equal("1", Text(seen, "left", "code"));
        await cluster.Left.WaitAsync(TimeSpan.FromSeconds(10), Stop);
    }

    static IEnumerable<JsonNode> Events(JsonNode seen, string name) => seen[name]!["events"]!.AsArray().Select(e => e!);

    static string Text(JsonNode node, params string[] path) =>
        path.Aggregate((JsonNode?)node, (at, name) => at?[name])?.ToString() ?? "nothing";

    static string Beside(string path, [CallerFilePath] string file = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, path));

    /// <summary>Whether it ended well, and what it printed.</summary>
    static async Task<(bool Well, string Output)> RunAsync(string program, string[] arguments, string modules)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["NODE_PATH"] = Path.Combine(modules, "node_modules");
        try
        {
            using var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEndAsync(Stop);
            var errors = process.StandardError.ReadToEndAsync(Stop);
            await process.WaitForExitAsync(Stop);
            return process.ExitCode == 0 ? (true, await output) : (false, await output + await errors);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return (false, e.Message);
        }
    }
}
