using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Hearth.Cluster.Tests.Rig;

namespace Hearth.Chart.Tests.Kubelet;

/// <summary>What a container of a pod would find around it, on this machine: its volumes as folders, its ports as free ones,
/// its variables resolved. Mount paths and port numbers in arguments are replaced by where they are here.</summary>
sealed partial class PodSandbox : IDisposable
{
    static readonly HashSet<int> _given = [];

    readonly string _folder = Directory.CreateTempSubdirectory("hearth-pod-").FullName;
    readonly World _world;
    readonly JsonNode _spec;
    readonly Dictionary<int, int> _ports = [];

    public PodSandbox(World world, string name, JsonNode pod)
    {
        (_world, Name, _spec) = (world, name, pod["spec"]!);
        foreach (var port in Manifest.List(_spec["containers"]).SelectMany(c => Manifest.List(c["ports"])))
            _ports[port["containerPort"]!.GetValue<int>()] = FreePort();
        foreach (var volume in Manifest.List(_spec["volumes"]))
            Fill(volume);
    }

    public string Name { get; }
    public JsonNode Spec => _spec;

    public int PortOf(int containerPort) => _ports[containerPort];

    /// <summary>The local port of a port's name or number.</summary>
    public int PortOf(JsonNode container, JsonNode port) => _ports[int.TryParse(port.ToString(), out var number) ? number
        : Manifest.List(container["ports"]).Single(p =>
            p["name"]!.ToString() == port.ToString())["containerPort"]!.GetValue<int>()];

    public Dictionary<string, string> Environment(JsonNode container)
    {
        var variables = new Dictionary<string, string>();
        foreach (var variable in Manifest.List(container["env"]))
        {
            var name = variable["name"]!.GetValue<string>();
            variables[name] = variable["value"] is { } value ? Expand(value.GetValue<string>(), variables)
                : From(variable["valueFrom"]!);
        }
        return variables.ToDictionary(v => v.Key, v => Localize(container, v.Value));
    }

    public string[] Arguments(JsonNode container)
    {
        var variables = Environment(container);
        return [.. Manifest.Texts(container["args"]).Select(a => Localize(container, Expand(a, variables)))];
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>$(NAME) as the kubelet replaces it: of a variable that is defined before.</summary>
    static string Expand(string text, Dictionary<string, string> variables) =>
        Reference().Replace(text, m => variables.TryGetValue(m.Groups[1].Value, out var value) ? value : m.Value);

    string From(JsonNode source) => source["fieldRef"]?["fieldPath"]?.GetValue<string>() switch
    {
        "metadata.name" => Name,
        "status.podIP" => "127.0.0.1",
        { } field => throw new InvalidDataException(field),
        null => FromSecret(source["secretKeyRef"]!),
    };

    string FromSecret(JsonNode reference) =>
        _world.Secret(reference["name"]!.GetValue<string>())[reference["key"]!.GetValue<string>()];

    /// <summary>Services, own ports and mounted folders, as they are here.</summary>
    public string Localize(JsonNode container, string text)
    {
        foreach (var (name, address) in _world.Services)
            text = text.Replace(name, address, StringComparison.Ordinal);
        text = ListenPort().Replace(text, m => m.Groups[1].Value + (_ports.TryGetValue(Number(m.Groups[2].Value), out var here)
            ? here.ToString(CultureInfo.InvariantCulture) : m.Groups[2].Value));
        var mounts = Manifest.List(container["volumeMounts"]).ToDictionary(m => m["mountPath"]!.GetValue<string>(), m =>
            Path.Combine(_folder, m["name"]!.ToString(), m["subPath"]?.ToString() ?? "").TrimEnd('/'));
        // In one go: a folder here may itself begin like a mount path.
        var paths = string.Join('|', mounts.Keys.OrderByDescending(p => p.Length).Select(Regex.Escape));
        text = Regex.Replace(text, $"(?<![^= ])({paths})(?![^/])", m => mounts[m.Value]);
        return text.Replace("/app/", Path.GetDirectoryName(HearthNode.Program) + "/", StringComparison.Ordinal);
    }

    void Fill(JsonNode volume)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder, volume["name"]!.GetValue<string>())).FullName;
        foreach (var source in Manifest.List(volume["projected"]?["sources"]).Select(s => s["secret"]!))
        {
            foreach (var item in Manifest.List(source["items"]))
            {
                Write(item["path"]!, _world.Secret(source["name"]!.GetValue<string>())[item["key"]!.GetValue<string>()]);
            }
        }
        if (volume["configMap"]?["name"] is { } map)
        {
            // The data folder of a server is a volume too: its path in the configuration is one here.
            foreach (var (file, text) in Manifest.Map(_world.Get($"ConfigMap/{map}").At("data")))
            {
                Write(file, text.Replace("dir /data", $"dir {_folder}", StringComparison.Ordinal)
                    .Replace("port 6379", $"port {_ports.GetValueOrDefault(6379)}\nbind 127.0.0.1", StringComparison.Ordinal));
            }
        }
        if (volume["persistentVolumeClaim"]?["claimName"] is { } claim)
            _world.FillClaim(claim.GetValue<string>(), folder);

        void Write(JsonNode file, string text) => File.WriteAllText(Path.Combine(folder, file.ToString()), text);
    }

    static int Number(string digits) => int.Parse(digits, CultureInfo.InvariantCulture);

    static int FreePort()
    {
        while (true)
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            var port = ((IPEndPoint)listener.LocalEndpoint).Port;
            lock (_given)
            {
                if (_given.Add(port))
                    return port;
            }
        }
    }

    [GeneratedRegex(@"\$\(([A-Z_a-z]+)\)")]
    private static partial Regex Reference();

    /// <summary>The port of http://*:8080, or of 127.0.0.1:7070.</summary>
    [GeneratedRegex(@"((?:\*|127\.0\.0\.1):)([0-9]{4,5})\b")]
    private static partial Regex ListenPort();
}
