using System.Text;
using Hearth.Actors.History;
using Hearth.HistoryCheck;
using Hearth.Tests.Shared;

namespace Hearth.Simulation.Tests.Cluster;

/// <summary>The histories that the processes of a simulated cluster write, as the real ones do, for the same checker.</summary>
sealed class SimHistories(SimCluster cluster)
{
    const long NanosecondsPerTick = 100;

    readonly List<(string Name, MemoryStream Lines)> _files = [];
    MemoryStream? _rollbacks;

    public HistoryWriter OfSilo(string silo) => new(Add(silo), silo, cluster.StoreProcess.Time);

    public ClientHistory OfClient(string client) => new(Add(client), client, cluster.StoreProcess.Time);

    /// <summary>The store has come back with what it held at this moment.</summary>
    public void RolledBack(TimeSpan wholeUntil)
    {
        _rollbacks ??= Add("store");
        _rollbacks.Write(Encoding.UTF8.GetBytes($"{{\"ns\":{cluster.World.Now.Ticks * NanosecondsPerTick},\"process\":\"store\","
            + $"\"op\":\"rolled_back\",\"whole_until\":{wholeUntil.Ticks * NanosecondsPerTick}}}\n"));
    }

    public async Task<IReadOnlyList<Verdict>> JudgeAsync()
    {
        var (memory, dump) = (cluster.Store.Memory, Add("dump"));
        await Dump.WriteAsync(Read(), memory.Grains, memory.Membership, dump, default);
        return Checks.All(Read(), lostAfterRestart: TimeSpan.Zero);
    }

    HistoryCheck.History Read() => new(_files.Select(f => (f.Name, (IReadOnlyList<string>)Encoding.UTF8.GetString(f.Lines.ToArray())
        .Split('\n', StringSplitOptions.RemoveEmptyEntries))));

    MemoryStream Add(string name)
    {
        var lines = new MemoryStream();
        _files.Add((name, lines));
        return lines;
    }
}
