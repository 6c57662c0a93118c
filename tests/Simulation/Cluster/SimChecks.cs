using System.Text.Json;
using Hearth.Actors;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Contracts;
using Hearth.Grains;
using Hearth.Simulation.Tests.World;
using Hearth.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hearth.Simulation.Tests.Cluster;

/// <summary>What must hold in every run: at every store call, and at the end.</summary>
sealed class SimChecks
{
    readonly SimCluster _cluster;
    readonly SimWorld _world;
    readonly IReadOnlyList<SimClient> _clients;
    readonly Dictionary<(GrainId, string), int> _commits = [];
    readonly Dictionary<(GrainId, long), string> _epochs = [];

    public SimChecks(SimCluster cluster, IReadOnlyList<SimClient> clients)
    {
        (_cluster, _world, _clients) = (cluster, cluster.World, clients);
        cluster.Store.Ran = AtCall;
    }

    /// <summary>Turns that committed, in the order of the commits.</summary>
    public List<(GrainId Grain, string Turn, TimeSpan At)> Committed { get; } = [];

    /// <summary>How often what happened, to see that the faults hit something.</summary>
    public SortedDictionary<string, int> Counts { get; } = [];

    /// <summary>The store came back with this, which is whole up to a moment.</summary>
    public void RolledBack(MemoryImage image, TimeSpan at)
    {
        var lost = Committed.Where(c => c.At > at || !image.Grains.ContainsKey(c.Grain)).ToList();
        _cluster.Histories?.RolledBack(at);
        _world.Log($"the store is another one, whole up to {at.TotalSeconds:F4}, {lost.Count} turns are lost");
        foreach (var (grain, turn, _) in lost)
        {
            Count("turns lost by the store");
            _commits.Remove((grain, turn));
            _clients.SelectMany(c => c.Turns).Single(t => t.Key == $"{grain.Name}/{turn}").MayBeLost = true;
        }
        Committed.RemoveAll(lost.Contains);
        _epochs.Clear();
        foreach (var (grain, row) in image.Grains)
            _epochs[(grain, row.Epoch)] = row.Activation ?? "";
    }

    public void Count(string what) => Counts[what] = Counts.GetValueOrDefault(what) + 1;

    public void Stuck(string what)
    {
        var open = _clients.Where(c => !c.IsIdle).Select(c => $"{c.Current}: {c.Turns.Find(t => t.Turn.Id.Value == c.Current)?.Failure}");
        _world.Violate($"{what}: {string.Join("; ", open)}");
    }

    public async Task AtEndAsync()
    {
        foreach (var conversation in _clients.Select(c => c.Conversation).Distinct())
        {
            CheckTranscript(conversation);
            CheckOwner(conversation);
        }
        foreach (var silo in _cluster.LiveSilos.Where(s => s.Engine.Load.Running > 0))
            _world.Violate($"{silo.Id}: {silo.Engine.Load.Running} sequences still run");
        await CheckBaselineAsync();
    }

    void AtCall(SimProcess process, string op, object?[] arguments, object? result)
    {
        if (OutcomeOf(result) is Enum outcome)
            Count($"{op} {outcome}");
        if (op == "hand_over" && arguments[4] is not null && result is AcquireResult { Outcome: AcquireOutcome.Acquired })
            Count("replies moved");
        CheckFence(process, op, arguments, result);
        switch (op)
        {
            case "declare_dead" when result is true:
                var dead = (string)arguments[0]!;
                if (_cluster.LiveSilos.FirstOrDefault(s => s.CurrentId == dead) is { IsLeaseHeld: true })
                    _world.Violate($"{process.Name} declares {dead} dead, which holds its lease");
                _world.Log($"{process.Name} declares {NameOf(dead)} dead");
                break;
            case "acquire" when result is AcquireResult { Outcome: AcquireOutcome.Acquired } acquired:
                Granted((GrainId)arguments[0]!, acquired.Epoch, (string)arguments[2]!, process.Name);
                break;
            case "hand_over" when result is AcquireResult { Outcome: AcquireOutcome.Acquired } moved:
                Granted((GrainId)arguments[0]!, moved.Epoch, (string)arguments[3]!, NameOf((string)arguments[2]!));
                break;
            case "commit" when result is CommitResult { Outcome: CommitOutcome.Done }:
                CheckCommit(process, (GrainId)arguments[0]!, (GrainCommit)arguments[2]!);
                break;
            case "begin" or "end" or "commit" or "hand_over" or "release":
                _world.Log($"{process.Name}: {op} {arguments[0]} -> {OutcomeOf(result)}");
                break;
        }
    }

    void Granted(GrainId grain, long epoch, string activation, string silo)
    {
        _world.Log($"{grain} is {silo}'s, epoch {epoch}");
        if (!_epochs.TryAdd((grain, epoch), activation))
            _world.Violate($"epoch {epoch} of {grain} is granted twice");
    }

    /// <summary>A write whose fence is not the newest grant's is refused.</summary>
    void CheckFence(SimProcess process, string op, object?[] arguments, object? result)
    {
        if (arguments is not [GrainId grain, Fence fence, ..] || OutcomeOf(result)?.ToString() is "Fenced" or "Deleted")
            return;
        if (_epochs.GetValueOrDefault((grain, fence.Epoch)) != fence.Activation || _epochs.ContainsKey((grain, fence.Epoch + 1)))
            _world.Violate($"a stale write ({op}) to {grain} was accepted from {process.Name}");
    }

    void CheckCommit(SimProcess process, GrainId grain, GrainCommit commit)
    {
        _world.Log($"{process.Name} commits {commit.Operation} of {grain}");
        if (commit.Operation is not { } turn)
            return;
        Committed.Add((grain, turn, _world.Now));
        _commits[(grain, turn)] = _commits.GetValueOrDefault((grain, turn)) + 1;
        if (_commits[(grain, turn)] > 1)
            _world.Violate($"turn {turn} of {grain} was committed twice");
    }

    /// <summary>Each turn at most once, the acknowledged ones all, each pair of question and reply together, in the order that the
    /// clients can tell.</summary>
    void CheckTranscript(string conversation)
    {
        var grain = new GrainId(TenantId.Local.Value, conversation);
        var row = _cluster.Store.Memory.Image.Grains.GetValueOrDefault(grain);
        var texts = (row?.Log ?? []).Select(TextOf).ToList();
        var turns = _clients.Where(c => c.Conversation == conversation).SelectMany(c => c.Turns).ToList();
        foreach (var turn in turns)
        {
            var question = ((MessageItem)turn.Turn.Items[0]).Text;
            var at = texts.FindIndex(t => t == ("user", question));
            if (texts.Count(t => t == ("user", question)) > 1)
                _world.Violate($"{turn.Key} is in the transcript twice");
            if (turn.Acknowledged is null || turn.MayBeLost)
                continue;
            if (at < 0)
                _world.Violate($"{turn.Key} was acknowledged and is lost");
            else if (at + 1 >= texts.Count || texts[at + 1] != ("assistant", turn.Text))
                _world.Violate($"{turn.Key} has '{turn.Text}', the transcript {(at + 1 < texts.Count ? texts[at + 1] : default)}");
        }
        var order = texts.Where(t => t.Role == "user").Select(t => turns.FindIndex(u => ((MessageItem)u.Turn.Items[0]).Text == t.Text)).ToList();
        for (var i = 0; i < order.Count; i++)
        {
            if (order.Skip(i + 1).FirstOrDefault(j => !turns[j].MayBeLost && turns[j].Acknowledged < turns[order[i]].Sent, -1) is var late and >= 0)
                _world.Violate($"{turns[late].Key} was acknowledged before {turns[order[i]].Key} was sent, and comes after it");
        }
        foreach (var (id, operation) in row?.Operations.Where(o => o.Value.Status == OperationStatus.Pending) ?? [])
        {
            if (turns.Exists(t => t.Turn.Id.Value == id && t is { IsGivenUp: false, MayBeLost: false }))
                _world.Violate($"{conversation}/{id} is still {operation.Status}");
        }
    }

    /// <summary>Nobody but the owner in the directory has it, and the owner lives.</summary>
    void CheckOwner(string conversation)
    {
        var grain = new GrainId(TenantId.Local.Value, conversation);
        if (_cluster.Store.Memory.Image.Grains.GetValueOrDefault(grain) is not { Activation: not null } row)
            return;
        var member = _cluster.Store.Memory.Image.Members.GetValueOrDefault(row.Silo);
        if (member is null or { Entry.Status: SiloStatus.Dead })
            _world.Violate($"{conversation} is owned by {row.Silo}, which is gone");
    }

    /// <summary>Every reply is that of a run on one silo without a fault, with the turns in the order of the transcript.</summary>
    async Task CheckBaselineAsync()
    {
        var process = new SimProcess(_world, "baseline");
        var server = new SimStoreServer(_world, process.Time);
        var done = false;
        process.Start("baseline", async () =>
        {
            var store = new SimStore(server, process);
            var models = new ModelCatalog();
            models.Serve(SimCluster.Serve(new SimEngine(process, SimCluster.Card)));
            var quiet = new LocalCluster(new GrainHostOptions { Silo = "baseline", SiloIsGone = (_, _) => ValueTask.FromResult(false) },
                store, store, models, process.Time, NullLogger.Instance);
            var turns = _clients.SelectMany(c => c.Turns).ToDictionary(t => (t.Turn.Conversation.Value, t.Turn.Id.Value));
            foreach (var (grain, id, _) in Committed.ToArray())
            {
                var turn = turns[(grain.Name, id)];
                var text = "";
                await foreach (var e in quiet.RunTurnAsync(turn.Turn, default))
                {
                    if (e is TurnDelta { Choice: 0 } delta)
                        text += delta.Text;
                    else if (e is TurnFailed failed)
                        _world.Violate($"the baseline of {turn.Key} failed: {failed.Failure}");
                }
                if (turn is { Acknowledged: not null, MayBeLost: false } && text != turn.Text)
                    _world.Violate($"{turn.Key} has '{turn.Text}', undisturbed it is '{text}'");
            }
            done = true;
        });
        if (!await _world.RunAsync(() => done, TimeSpan.FromHours(1)) && _world.Violations.Count == 0)
            _world.Violate("the baseline did not end");
    }

    static (string Role, string Text) TextOf(byte[] entry)
    {
        var item = JsonElement.Parse(entry).GetProperty("item");
        return (item.GetProperty("role").GetString()!,
            string.Concat(item.GetProperty("content").EnumerateArray().Select(c => c.GetProperty("text").GetString())));
    }

    static object? OutcomeOf(object? result) => result switch
    {
        BeginResult begin => begin.Outcome,
        CommitResult commit => commit.Outcome,
        AcquireResult acquire => acquire.Outcome,
        BeatResult beat => beat.Outcome,
        _ => result,
    };

    /// <summary>Generations of silos that joined again are random: they would make two runs of a seed look different.</summary>
    string NameOf(string silo) => _cluster.Silos.Exists(s => s.Id == silo) ? silo : silo.Split('/')[0];
}
