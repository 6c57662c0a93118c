using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Hearth.Cluster.Tests.Faults;

/// <summary>Network namespaces on one bridge, each a machine of its own with an address, between which nftables drops packets.
/// Needs root, iproute2 and nftables.</summary>
public sealed class NetworkSpaces : IAsyncDisposable
{
    readonly string _tag;
    readonly int _net;
    readonly List<string> _names = [];

    NetworkSpaces(string tag, int net) => (_tag, _net) = (tag, net);

    string Bridge => $"{_tag}br";

    /// <summary>This machine's own address among them.</summary>
    public string HostAddress => $"10.{_net}.77.1";

    /// <returns>Why there can be none here, or null.</returns>
    public static string? Missing() => Environment.UserName != "root" ? "needs root"
        : !File.Exists("/usr/sbin/nft") || !(File.Exists("/usr/sbin/ip") || File.Exists("/sbin/ip")) ? "needs nftables and iproute2"
        : null;

    public static async Task<NetworkSpaces> CreateAsync(int count)
    {
        var spaces = new NetworkSpaces($"hth{Environment.ProcessId % 10_000}", 64 + Environment.ProcessId % 64);
        try
        {
            await RunAsync("ip", "link", "add", spaces.Bridge, "type", "bridge");
            await RunAsync("ip", "addr", "add", $"{spaces.HostAddress}/24", "dev", spaces.Bridge);
            await RunAsync("ip", "link", "set", spaces.Bridge, "up");
            for (var i = 0; i < count; i++)
                await spaces.AddAsync(i);
            return spaces;
        }
        catch
        {
            await spaces.DisposeAsync();
            throw;
        }
    }

    public string AddressOf(int space) => $"10.{_net}.77.{11 + space}";

    /// <summary>What goes before a command so that it runs in the space.</summary>
    public string[] Enter(int space) => ["ip", "netns", "exec", _names[space]];

    /// <summary>From now on the space hears nothing of the address; what it says to it is lost too.</summary>
    /// <param name="tcpPort">Of the address: only that is cut off; null for all of it.</param>
    public async Task PartAsync(int space, int? tcpPort, string address)
    {
        await InAsync(space, "add", "table", "inet", "part");
        foreach (var (chain, hook, side, end) in new[] { ("i", "input", "saddr", "sport"), ("o", "output", "daddr", "dport") })
        {
            await InAsync(space, "add", "chain", "inet", "part", chain, $"{{ type filter hook {hook} priority 0; }}");
            string[] port = tcpPort is { } number ? ["tcp", end, number.ToString(System.Globalization.CultureInfo.InvariantCulture)] : [];
            await InAsync(space, ["add", "rule", "inet", "part", chain, "ip", side, address, .. port, "drop"]);
        }
    }

    /// <summary>From now on nothing that the address sends comes to the space; what the space sends arrives.</summary>
    public async Task DeafenAsync(int space, string address)
    {
        await InAsync(space, "add", "table", "inet", "part");
        await InAsync(space, "add", "chain", "inet", "part", "i", "{ type filter hook input priority 0; }");
        await InAsync(space, "add", "rule", "inet", "part", "i", "ip", "saddr", address, "counter", "drop");
    }

    /// <summary>Packets that <see cref="DeafenAsync"/> has dropped.</summary>
    public async Task<long> DroppedAsync(int space)
    {
        var rules = await InAsync(space, "list", "table", "inet", "part");
        return long.Parse(Regex.Match(rules, @"counter packets (\d+)").Groups[1].Value, CultureInfo.InvariantCulture);
    }

    public Task HealAsync(int space) => InAsync(space, "delete", "table", "inet", "part");

    public async ValueTask DisposeAsync()
    {
        foreach (var name in _names)
            await RunAsync("ip", "netns", "delete", name);
        await RunAsync("ip", "link", "delete", Bridge);
    }

    async Task AddAsync(int i)
    {
        var (name, outside) = ($"{_tag}n{i}", $"{_tag}v{i}");
        await RunAsync("ip", "netns", "add", name);
        _names.Add(name);
        await RunAsync("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name);
        await RunAsync("ip", "link", "set", outside, "master", Bridge, "up");
        await RunAsync("ip", "-n", name, "addr", "add", $"{AddressOf(i)}/24", "dev", "eth0");
        await RunAsync("ip", "-n", name, "link", "set", "eth0", "up");
        await RunAsync("ip", "-n", name, "link", "set", "lo", "up");
    }

    Task<string> InAsync(int space, params string[] rule) => RunAsync("ip", ["netns", "exec", _names[space], "nft", .. rule]);

    static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var reading = process.StandardOutput.ReadToEndAsync();
        var error = await process.StandardError.ReadToEndAsync();
        var output = await reading;
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {error}");
        return output;
    }
}
