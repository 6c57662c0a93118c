using System.Diagnostics;
using System.Globalization;
using Hearth.Cluster.Tests.Rig;
using Hearth.Tests.Shared;

namespace Hearth.Cluster.Tests.Chaos;

/// <summary>The long form of the tests of this folder: many conversations, a fault every few seconds, then silence, the checker's
/// verdict, and one more turn of each conversation.</summary>
public sealed class ChaosRun : IAsyncDisposable
{
    const int Replayed = 20;
    static readonly TimeSpan TurnPatience = TimeSpan.FromMinutes(2);

    readonly ChaosOptions _options;
    readonly ClusterRig _rig;
    readonly ClientHistory _history;
    readonly ChaosClient[] _clients;
    readonly Stopwatch _clock = Stopwatch.StartNew();
    readonly List<string> _violations = [];
    int _turns;

    ChaosRun(ChaosOptions options, ClusterRig rig, ClientHistory history)
    {
        (_options, _rig, _history) = (options, rig, history);
        _clients = [.. Enumerable.Range(0, options.Conversations).Select(i => new ChaosClient(rig, history, NameOf(i), options.Seed * 10_000 + i) { Leaves = true })];
    }

    string HistoryFolder => Path.GetFullPath(Path.Combine(_options.Out, "history"));

    /// <returns>The process' exit code.</returns>
    public static async Task<int> RunAsync(ChaosOptions options)
    {
        if (Directory.Exists(options.Out))
            Directory.Delete(options.Out, recursive: true);
        var folder = Directory.CreateDirectory(Path.Combine(options.Out, "history")).FullName;
        var rig = await ClusterRig.StartAsync(
            new RigOptions { Silos = options.SilosMin, Gateways = options.Gateways, History = folder, Seed = options.Seed }, CancellationToken.None);
        await using var run = new ChaosRun(options, rig, ClientHistory.Create(folder, "clients"));
        return await run.RunAsync() ? 0 : 1;
    }

    public async ValueTask DisposeAsync()
    {
        await File.WriteAllTextAsync(Path.Combine(_options.Out, "processes.log"), _rig.Logs());
        _history.Dispose();
        await _rig.DisposeAsync();
    }

    static string NameOf(int number) => string.Create(CultureInfo.InvariantCulture, $"chaos-{number}");

    async Task<bool> RunAsync()
    {
        Say($"seed {_options.Seed}: {_options.Conversations} conversations, {_options.SilosMin} to {_options.SilosMax} silos, " +
            $"{_options.Gateways} gateways, a fault every {_options.Every.TotalSeconds:0} s for {_options.Length.TotalSeconds:0} s");
        using var time = new CancellationTokenSource(_options.Length);
        var adversary = new Adversary(_rig, _options, Say, NameOf);
        var striking = adversary.RunAsync(time.Token);
        await Task.WhenAll(Enumerable.Range(0, Math.Min(_options.Busy, _clients.Length)).Select(worker => TalkAsync(worker, time.Token)));
        await striking;
        var duringChaos = _turns;
        Say($"quiet: {duringChaos} turns acknowledged; faults: {string.Join(", ", adversary.Done.Select(d => $"{d.Key} {d.Value}"))}");
        await _rig.FillAsync(_options.SilosMin, _options.Gateways, CancellationToken.None);
        foreach (var client in _clients)
            client.Leaves = false;
        await OneMoreTurnAsync();
        await ReplayAsync();
        var judged = await JudgeAsync();
        var broken = _clients.Sum(c => c.Broken);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"chaos seed {_options.Seed}: {adversary.Done.Values.Sum()} faults, {duringChaos} turns acknowledged, {broken} streams broken and {_clients.Sum(c => c.Left)} left " +
            $"({_clients.Sum(c => c.Resumed)} resumed), longest turn {_clients.Max(c => c.Longest).TotalSeconds:0.0} s, " +
            $"{_clients.Length} conversations went on afterwards, {_violations.Count} violations{(judged ? "" : ", the checker's besides")}"));
        return judged && _violations.Count == 0;
    }

    /// <summary>One turn after the other, each of another one of this worker's conversations.</summary>
    async Task TalkAsync(int worker, CancellationToken stop)
    {
        var mine = _clients.Where((_, i) => i % _options.Busy == worker).ToList();
        for (var i = 0; !stop.IsCancellationRequested; i = (i + 1) % mine.Count)
            await TurnAsync(mine[i]);
    }

    async Task TurnAsync(ChaosClient client)
    {
        // A turn that has begun is brought to its end: what is in doubt says nothing.
        using var patience = new CancellationTokenSource(TurnPatience);
        try
        {
            await client.TurnAsync(patience.Token);
            Interlocked.Increment(ref _turns);
        }
        catch (Exception e) when (e is OperationCanceledException or TimeoutException)
        {
            Violation($"{client.Conversation}: no answer within {TurnPatience}");
        }
    }

    /// <summary>Whatever happened, every conversation goes on, and is as long as its client knows.</summary>
    async Task OneMoreTurnAsync()
    {
        foreach (var some in _clients.Chunk(_options.Busy))
        {
            await Task.WhenAll(some.Select(async client =>
            {
                var before = client.Broken;
                await TurnAsync(client);
                if (client.Broken != before)
                    Violation($"{client.Conversation}: its turn after the chaos was tried {client.Broken - before + 1} times");
                var turns = await client.ReadAsync(CancellationToken.None);
                if (turns != client.Texts.Count)
                    Violation($"{client.Conversation} has {turns} turns, its client {client.Texts.Count}");
            }));
        }
    }

    /// <summary>Some conversations again, turn by turn, undisturbed: their replies must be the same to the letter.</summary>
    async Task ReplayAsync()
    {
        foreach (var client in _clients.Where(c => c.Texts.Count > 0).Take(Replayed))
        {
            var again = new ChaosClient(_rig, _history, client.Conversation + "-again", client.Seed);
            for (var turn = 0; turn < client.Texts.Count; turn++)
            {
                await TurnAsync(again);
                if (turn >= again.Texts.Count)
                    break;
                _history.Baseline($"local/{client.Conversation}", $"{client.Conversation}-t{turn}", again.Texts[turn]);
                if (again.Texts[turn] != client.Texts[turn])
                {
                    Violation($"{client.Conversation}-t{turn} is not what an undisturbed run says");
                    break;
                }
            }
        }
    }

    async Task<bool> JudgeAsync()
    {
        var checker = Path.Combine(HearthNode.Root, "artifacts", "bin", "HistoryCheck", "release", "Hearth.HistoryCheck.dll");
        return await CheckerAsync(checker, "dump", "--redis", _rig.RedisAddress, HistoryFolder)
            && await CheckerAsync(checker, "check", HistoryFolder);
    }

    static async Task<bool> CheckerAsync(string checker, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [checker, .. arguments]))!;
        await process.WaitForExitAsync();
        return process.ExitCode == 0;
    }

    void Violation(string what)
    {
        lock (_violations)
            _violations.Add(what);
        Say($"VIOLATION {what}");
    }

    void Say(string line) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{_clock.Elapsed.TotalSeconds,6:0.0} {line}"));
}
