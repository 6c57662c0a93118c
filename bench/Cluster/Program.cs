using Hearth.Cluster.Bench;

// Usage: Cluster.Bench VERB [arguments]; each verb is a file of this folder and says what it measures.
var verbs = new Dictionary<string, Func<string[], Task>>
{
    ["spill"] = SpillPath.RunAsync,
    ["peers"] = PeersBench.RunAsync,
    ["routing"] = RoutingBench.RunAsync,
    ["streams"] = StreamsBench.RunAsync,
    ["idle"] = IdleBench.RunAsync,
    ["resume"] = ResumeBench.RunAsync,
    ["detection"] = DetectionBench.RunAsync,
    ["moves"] = MovesBench.RunAsync,
};
if (args is not [var verb, .. var rest] || !verbs.TryGetValue(verb, out var run))
{
    Console.Error.WriteLine($"Name what to measure: {string.Join(", ", verbs.Keys)}.");
    return 2;
}
await run(rest);
return 0;
