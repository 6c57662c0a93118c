using Hearth.Cluster.Tests.Rig;

namespace Hearth.Cluster.Tests.Chaos;

/// <summary>Does something bad to the cluster again and again, by its seed: kills, pauses, stops and adds silos, kills gateways, moves
/// conversations. Keeps the number of silos within bounds.</summary>
public sealed class Adversary(ClusterRig rig, ChaosOptions options, Action<string> say, Func<int, string> conversation)
{
    readonly Random _random = new(options.Seed);
    readonly List<Task> _later = [];

    /// <summary>What was done, and how often.</summary>
    public SortedDictionary<string, int> Done { get; } = [];

    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(options.Every);
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
                await StrikeAsync(stop);
        }
        catch (OperationCanceledException)
        {
            // The time is over.
        }
        // Whoever sleeps wakes up, whoever starts serves, whoever ends is gone.
        await Task.WhenAll(_later);
    }

    async Task StrikeAsync(CancellationToken stop)
    {
        var silos = rig.Silos;
        var fault = silos.Count < options.SilosMin ? "add a silo" : _random.Next(8) switch
        {
            0 or 1 => "kill -9 a silo",
            2 => "pause a silo",
            3 => "stop a silo",
            4 or 5 when silos.Count < options.SilosMax => "add a silo",
            6 => "kill -9 a gateway",
            _ => "move conversations",
        };
        Done[fault] = Done.GetValueOrDefault(fault) + 1;
        var victim = silos[_random.Next(silos.Count)];
        say($"{fault}{(fault.Contains("silo", StringComparison.Ordinal) && fault[0] != 'a' ? $": {victim.Name}" : "")}");
        switch (fault)
        {
            case "kill -9 a silo":
                victim.Kill();
                break;
            case "pause a silo":
                victim.Pause();
                _later.Add(ResumeAsync(victim, TimeSpan.FromSeconds(0.3 + 4 * _random.NextDouble())));
                break;
            case "stop a silo":
                victim.Terminate();
                _later.Add(EndedAsync(victim));
                break;
            case "add a silo":
                _later.Add(rig.AddSiloAsync(CancellationToken.None));
                break;
            case "kill -9 a gateway":
                rig.Gateways[_random.Next(rig.Gateways.Count)].Kill();
                _later.Add(rig.AddGatewayAsync(CancellationToken.None));
                break;
            default:
                await MoveAsync(stop);
                break;
        }
    }

    async Task MoveAsync(CancellationToken stop)
    {
        for (var i = 0; i < 10; i++)
        {
            try
            {
                await rig.Client().SendAsync(HttpMethod.Post,
                    $"admin/conversations/{conversation(_random.Next(options.Conversations))}/migrate", [], stop);
            }
            catch (HttpRequestException)
            {
                // That gateway has just been killed.
            }
        }
    }

    static async Task ResumeAsync(HearthNode silo, TimeSpan after)
    {
        await Task.Delay(after, TimeProvider.System, CancellationToken.None);
        silo.Resume();
    }

    async Task EndedAsync(HearthNode silo)
    {
        var code = await silo.EndAsync(TimeSpan.FromSeconds(90), CancellationToken.None);
        // 75: declared dead while it was draining, which a paused or starved process can be.
        if (code is not (0 or 75))
            say($"{silo.Name} ended with {code}");
    }
}
