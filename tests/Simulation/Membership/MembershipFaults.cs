using Hearth.Simulation.Tests.World;
using Hearth.Tests.Shared;

namespace Hearth.Simulation.Tests.Membership;

/// <summary>Faults at random moments, for random lengths around those that matter: beats, margins, leases, and far
/// beyond.</summary>
sealed class MembershipFaults(MembershipRun run)
{
    readonly Queue<MemoryImage> _images = new();
    bool _going;

    SimWorld World => run.World;

    /// <summary>Nothing happens to a silo that it could not bear.</summary>
    public bool OfTheStoreAndObserversOnly { get; init; }

    public void Begin(TimeSpan length)
    {
        _going = true;
        World.At(length, () => _going = false);
        Next();
        Remember();
    }

    /// <summary>Everything that still runs can reach the store again.</summary>
    public void End()
    {
        _going = false;
        (run.Server.IsDown, run.Server.Slowness) = (false, 1);
        (run.Server.RequestsLost, run.Server.AnswersLost) = (0, 0);
        run.Server.Continue();
        run.Server.Cut.Clear();
        run.Server.Deaf.Clear();
        foreach (var (process, _) in run.Observers)
            process.Continue();
    }

    void Next()
    {
        if (!_going)
            return;
        if (OfTheStoreAndObserversOnly)
            OneOfTheStore();
        else if (World.Chance(0.7))
            OneOfAProcess();
        else
            OneOfTheStore();
        World.At(World.Between(0.05, 4), Next);
    }

    void OneOfAProcess()
    {
        var (process, watcher) = Draw(run.Observers);
        switch (World.Random.Next(7))
        {
            case 0 or 1:
                process.Pause();
                World.At(Length(), process.Continue);
                break;
            case 2:
                run.Server.Cut.Add(process);
                World.At(Length(), () => run.Server.Cut.Remove(process));
                break;
            case 3:
                run.Server.Deaf.Add(process);
                World.At(Length(), () => run.Server.Deaf.Remove(process));
                break;
            case 4 when run.Silos.Count(s => !s.Process.IsDead) > 1:
                process.Kill();
                break;
            case 5 when run.Silos.Count(s => !s.Process.IsDead) < 6:
                run.AddSilo(World.Between(0.95, 1.05).TotalSeconds);
                break;
            default:
                if (run.Rows.Any() && !process.IsDead)
                {
                    var silo = Draw(run.Rows.ToList()).Entry.Id;
                    process.Do(() => watcher.Suspect(silo));
                    for (var i = 0; i < 20; i++)
                        World.At(World.Between(0, 3), () => process.Do(() => _ = run.AskAsync(process, watcher, silo)));
                }
                break;
        }
    }

    void OneOfTheStore()
    {
        var server = run.Server;
        switch (World.Random.Next(6))
        {
            case 0:
                server.IsDown = true;
                World.At(Length(), () => server.IsDown = false);
                break;
            case 1:
                server.IsPaused = true;
                World.At(Length(), server.Continue);
                break;
            case 2:
                server.Slowness = World.Random.Next(1, 3000);
                World.At(Length(), () => server.Slowness = 1);
                break;
            case 3:
                server.AnswersLost = World.Random.NextDouble();
                World.At(Length(), () => server.AnswersLost = 0);
                break;
            case 4 when !OfTheStoreAndObserversOnly:
                run.Restart(World.Chance(0.3) ? MemoryImage.Empty : Draw([.. _images, server.Memory.Image]));
                break;
            default:
                var (process, _) = Draw(run.Observers.Where(o => run.Silos.All(s => s.Process != o.Process)).ToList());
                process.Pause();
                World.At(Length(), process.Continue);
                break;
        }
    }

    /// <summary>What a rollback may bring back.</summary>
    void Remember()
    {
        if (!_going)
            return;
        _images.Enqueue(run.Server.Memory.Image);
        if (_images.Count > 10)
            _images.Dequeue();
        World.At(World.Between(0.1, 2), Remember);
    }

    TimeSpan Length() => World.Random.Next(4) switch
    {
        0 => World.Between(0, 0.5),
        1 => World.Between(1, 1.7),
        2 => World.Between(0.5, 5),
        _ => World.Between(5, 30),
    };

    T Draw<T>(List<T> from) => from[World.Random.Next(from.Count)];
}
