using System.Text.Json.Nodes;
using Xunit;

namespace Hearth.Chart.Tests;

/// <summary>What is true of every object of every set of values.</summary>
public sealed class PolicyTests
{
    static readonly string[] _probes = ["startupProbe", "readinessProbe", "livenessProbe"];
    static readonly string[] _hostSpaces = ["hostNetwork", "hostPID", "hostIPC"];

    /// <summary>Pod Security Standards, "restricted", and what S22 asks besides.</summary>
    [Fact]
    public Task EveryPodIsRestricted() => ForAllPodsAsync((_, pod, fail) =>
    {
        var spec = pod.Pod!["spec"]!;
        var security = spec["securityContext"];
        fail(security?["runAsNonRoot"]?.GetValue<bool>() != true, "runs as root");
        fail(security?["runAsUser"]?.GetValue<long>() is not > 0, "has no user");
        fail(security?["seccompProfile"]?["type"]?.GetValue<string>() != "RuntimeDefault", "has no seccomp profile");
        fail(spec["automountServiceAccountToken"]?.GetValue<bool>() != false, "mounts a token");
        fail(spec["enableServiceLinks"]?.GetValue<bool>() != false, "gets variables of all services: HEARTH_… may be among them");
        fail(_hostSpaces.Any(k => spec[k]?.GetValue<bool>() == true), "shares the host's spaces");
        fail(Manifest.List(spec["volumes"]).Any(v => v["hostPath"] is not null), "mounts the host");
        foreach (var container in pod.Containers)
        {
            var own = container["securityContext"];
            fail(own?["allowPrivilegeEscalation"]?.GetValue<bool>() != false, "may gain privileges");
            fail(own?["readOnlyRootFilesystem"]?.GetValue<bool>() != true, "writes to its root");
            fail(own?["privileged"]?.GetValue<bool>() == true, "is privileged");
            fail(Manifest.Texts(own?["capabilities"]?["drop"]) is not ["ALL"] || own?["capabilities"]?["add"] is not null,
                "has capabilities");
            fail(Manifest.List(container["ports"]).Any(p => p["hostPort"] is not null
                || p["containerPort"]!.GetValue<int>() < 1024),
                "has a port of the host, or one that only root may open");
        }
    });

    [Fact]
    public Task EveryImageIsPinnedAndEveryContainerHasItsShare() => ForAllPodsAsync((_, pod, fail) =>
    {
        foreach (var container in pod.Containers)
        {
            var image = container["image"]!.GetValue<string>();
            var name = image.Split('@')[0].Split('/')[^1];
            fail(!name.Contains(':', StringComparison.Ordinal) || name.EndsWith(":latest", StringComparison.Ordinal),
                $"image {image}");
            var resources = container["resources"];
            fail(resources?["requests"]?["cpu"] is null || resources["requests"]?["memory"] is null, "requests nothing");
            fail(resources?["limits"]?["memory"] is null, "has no bound of memory");
        }
    });

    [Fact]
    public Task EveryLastingContainerIsProbedAtAPortOfItsOwn() => ForAllPodsAsync((_, pod, fail) =>
    {
        if (pod.Kind == "Pod")
            return;
        foreach (var container in pod.Running)
        {
            var ports = Manifest.List(container["ports"]).Select(p => p["name"]!.GetValue<string>()).ToHashSet();
            foreach (var probe in _probes)
            {
                var port = (container[probe]?["httpGet"] ?? container[probe]?["tcpSocket"])?["port"];
                fail(container[probe] is null, $"has no {probe}");
                fail(port is not null && !ports.Contains(port.GetValue<string>()), $"{probe} asks a port that it has not");
                fail(container[probe]?["timeoutSeconds"] is null, $"{probe} waits for ever");
            }
            fail(Probed(container, "livenessProbe") is "/health/ready", "is killed when it is only not ready");
        }
    });

    /// <summary>preStop, then the time to leave and to drain, then what is left, must fit into the grace.</summary>
    [Fact]
    public Task TheGraceIsLongerThanThePreStopAndTheDrain() => ForAllPodsAsync((_, pod, fail) =>
    {
        foreach (var container in pod.Running.Where(c => Argument(c, "--drain-budget") is not null))
        {
            var grace = pod.Pod!["spec"]!["terminationGracePeriodSeconds"]!.GetValue<int>();
            var sleep = container["lifecycle"]?["preStop"]?["sleep"]?["seconds"]?.GetValue<int>() ?? 0;
            var leave = Seconds(Argument(container, "--leave-delay"));
            var drain = Seconds(Argument(container, "--drain-budget"));
            fail(grace < sleep + leave + drain + 10, $"grace {grace} s for {sleep} + {leave} + {drain} s");
            fail(leave > 0 && sleep + leave < 5 && Argument(container, "--drain-budget") == "60s",
                "leaves before anyone has heard of it");
        }
    });

    [Fact]
    public async Task SelectorsFindWhatTheyAreMeantFor()
    {
        foreach (var (one, rendered) in await ChartCase.RenderAllAsync())
        {
            var pods = rendered.Objects.Where(o => o.Pod is not null).ToList();
            foreach (var made in rendered.Objects)
            {
                var selector = made.Kind switch
                {
                    "Service" => made.At("spec.selector"),
                    "NetworkPolicy" => made.At("spec.podSelector.matchLabels"),
                    "Deployment" or "StatefulSet" or "PodDisruptionBudget" => made.At("spec.selector.matchLabels"),
                    _ => null,
                };
                if (selector is null)
                    continue;
                var found = pods.Where(p => Manifest.Matches(selector, p.PodLabels)).ToList();
                Assert.True(found.Count == 1, $"{one.Name}: {made.Id} selects {found.Count} kinds of pods");
                if (made.Kind == "Service")
                    AssertPorts(one, made, found[0]);
            }
            AssertNames(one, rendered);
        }
    }

    static void AssertPorts(ChartCase one, Manifest service, Manifest pod)
    {
        var open = pod.Running.SelectMany(c => Manifest.List(c["ports"])).Select(p => p["name"]!.GetValue<string>()).ToHashSet();
        Assert.All(Manifest.List(service.At("spec.ports")), port =>
            Assert.True(open.Contains(port["targetPort"]!.GetValue<string>()), $"{one.Name}: {service.Id} leads to {port}"));
    }

    /// <summary>Names fit, are one of a kind, and what is referred to is there.</summary>
    static void AssertNames(ChartCase one, Rendered rendered)
    {
        Assert.Equal(rendered.Objects.Count, rendered.Objects.Select(o => (o.Json["apiVersion"]!.ToString(), o.Id)).Distinct()
            .Count());
        Assert.All(rendered.Objects, o => Assert.True(o.Name.Length is > 0 and <= 63, $"{one.Name}: {o.Id}"));
        // A pod of a StatefulSet has its name, an ordinal and the hash of a revision in a label.
        Assert.All(rendered.Objects.Where(o => o.Kind == "StatefulSet"), o => Assert.True(o.Name.Length <= 52, o.Id));
        foreach (var pod in rendered.Objects.Where(o => o.Pod is not null))
        {
            var account = pod.Pod!["spec"]!["serviceAccountName"]!.GetValue<string>();
            Assert.True(account == "default" || rendered.Objects.Any(o => o.Id == $"ServiceAccount/{account}"),
                $"{one.Name}: {account}");
            var volumes = Manifest.List(pod.Pod["spec"]!["volumes"]).Select(v => v["name"]!.GetValue<string>())
                .Concat(Manifest.List(pod.At("spec.volumeClaimTemplates")).Select(t =>
                    t["metadata"]!["name"]!.GetValue<string>())).ToHashSet();
            Assert.All(pod.Containers.SelectMany(c => Manifest.List(c["volumeMounts"])), mount =>
                Assert.Contains(mount["name"]!.GetValue<string>(), volumes));
            Assert.All(Manifest.List(pod.Pod["spec"]!["volumes"]).Select(v => v["configMap"]?["name"]).OfType<JsonNode>(), name =>
                Assert.Contains(rendered.Objects, o => o.Id == $"ConfigMap/{name}"));
        }
    }

    [Fact]
    public async Task EveryPortIsCoveredByANetworkPolicyAndEveryCallAllowed()
    {
        foreach (var (one, rendered) in await ChartCase.RenderAllAsync())
        {
            var policies = rendered.Objects.Where(o => o.Kind == "NetworkPolicy").ToList();
            if (policies.Count == 0)
            {
                Assert.EndsWith("no-policies", one.Name, StringComparison.Ordinal);
                continue;
            }
            foreach (var pod in rendered.Objects.Where(o => o.Pod is not null && o.Kind != "Pod"))
            {
                var policy = Assert.Single(policies, p => Manifest.Matches(p.At("spec.podSelector.matchLabels"), pod.PodLabels));
                Assert.Equal(["Ingress", "Egress"], Manifest.Texts(policy.At("spec.policyTypes")));
                var covered = Manifest.List(policy.At("spec.ingress")).SelectMany(r => Manifest.List(r["ports"]))
                    .Select(p => p["port"]!.ToString()).ToHashSet();
                var open = pod.Running.SelectMany(c => Manifest.List(c["ports"])).Select(p => p["name"]!.GetValue<string>());
                // Nobody may scrape: then probes are the kubelet's alone, which no policy keeps out.
                Assert.Equal(open.Where(p => p != "probes" || covered.Contains(p)).Order(), covered.Order());
            }
            AssertCalls(one, rendered, policies);
        }
    }

    /// <summary>Gateways call silos and Redis, silos each other and Redis: the ports are open at both ends.</summary>
    static void AssertCalls(ChartCase one, Rendered rendered, List<Manifest> policies)
    {
        Manifest? Of(string component) => rendered.Objects.FirstOrDefault(o => o.Pod is not null && o.Kind != "Pod"
            && o.PodLabels["app.kubernetes.io/component"] == component);
        foreach (var (from, to, port) in new[]
        {
            ("gateway", "silo", "peers"), ("silo", "silo", "peers"), ("gateway", "redis", "redis"), ("silo", "redis", "redis"),
            ("gateway", "redis-spill", "redis"), ("silo", "redis-spill", "redis"),
        })
        {
            if (Of(to) is not { } target)
                continue;
            var source = Of(from)!;
            JsonNode Policy(Manifest pod) =>
                policies.Single(p => Manifest.Matches(p.At("spec.podSelector.matchLabels"), pod.PodLabels)).Json["spec"]!;
            bool Named(JsonNode rule, string side, Manifest who) => Manifest.List(rule[side])
                .Any(peer => Manifest.Matches(peer["podSelector"]?["matchLabels"], who.PodLabels));
            var number = target.Running.SelectMany(c => Manifest.List(c["ports"])).Single(p =>
                p["name"]!.ToString() == port)["containerPort"]!;
            Assert.True(Manifest.List(Policy(target)["ingress"]).Any(rule => Named(rule, "from", source)
                && Manifest.List(rule["ports"]).Any(p => p["port"]!.ToString() == port)),
                    $"{one.Name}: {from} is kept out of {to}");
            Assert.True(Manifest.List(Policy(source)["egress"]).Any(rule => Named(rule, "to", target)
                && Manifest.List(rule["ports"]).Any(p => p["port"]!.ToString() == number.ToString())),
                    $"{one.Name}: {from} is kept in from {to}");
        }
    }

    internal static string? Argument(JsonNode container, string name) => Manifest.Texts(container["args"])
        .FirstOrDefault(a => a.StartsWith(name + "=", StringComparison.Ordinal))?[(name.Length + 1)..];

    internal static int Seconds(string? text) => text is null ? 0 : int.Parse(text.TrimEnd('s'), null);

    static string? Probed(JsonNode container, string probe) => container[probe]?["httpGet"]?["path"]?.GetValue<string>();

    static async Task ForAllPodsAsync(Action<ChartCase, Manifest, Action<bool, string>> check)
    {
        var faults = new List<string>();
        foreach (var (one, rendered) in await ChartCase.RenderAllAsync())
        {
            foreach (var pod in rendered.Objects.Where(o => o.Pod is not null))
            {
                check(one, pod, (bad, what) =>
                {
                    if (bad)
                        faults.Add($"{one.Name}: {pod.Id} {what}");
                });
            }
        }
        Assert.Empty(faults.Distinct());
    }
}
