using Hearth.Contracts;
using Hearth.Engine.Memory;
using Hearth.Engine.Scheduling;

namespace Hearth.Engine;

/// <summary>Does what <see cref="CacheTransfers"/> asks of the engine's thread.</summary>
sealed class CacheCommands(KvMemory memory, Scheduler scheduler, Admissions admissions)
{
    readonly List<ImportJob> _imports = [];

    public void Do(EngineMessage.CacheCommand command)
    {
        switch (command)
        {
            case EngineMessage.Pin pin:
                pin.Answer.SetResult(memory.TryPin(pin.Cache, pin.First));
                break;
            case EngineMessage.Unpin unpin:
                memory.Unpin(unpin.Part);
                admissions.Unblock();
                unpin.Done();
                break;
            case EngineMessage.Import import:
                Begin(import.Job);
                break;
            case EngineMessage.Imported imported:
                End(imported.Job);
                break;
            case EngineMessage.Drop drop:
                Drop(drop.Cache);
                drop.Answer.SetResult();
                break;
        }
    }

    /// <summary>The thread stops: everyone gets an answer.</summary>
    public static void Refuse(EngineMessage.CacheCommand command)
    {
        switch (command)
        {
            case EngineMessage.Pin pin:
                pin.Answer.SetResult(null);
                break;
            case EngineMessage.Unpin unpin:
                unpin.Done();
                break;
            case EngineMessage.Import import:
                import.Job.Begun.SetResult(CacheTransfers.Stopped);
                break;
            case EngineMessage.Imported imported:
                imported.Job.Ended.SetResult(CacheTransfers.Stopped);
                break;
            case EngineMessage.Drop drop:
                drop.Answer.SetResult();
                break;
        }
    }

    /// <summary>Running sequences keep room for a block each: an import never costs one its place.</summary>
    void Begin(ImportJob job)
    {
        var reason = memory.BeginImport(job.Cache, job.First, scheduler.Active);
        if (reason is null)
        {
            _imports.Add(job);
        }

        if (reason is null && job.Tokens <= Limits.ImportAtOnceTokens)
        {
            memory.Write(job);
            End(job);
        }

        job.Begun.SetResult(reason);
    }

    /// <summary>Makes an import's blocks ones that can give way, before a running sequence must.</summary>
    /// <returns>False if none is under way.</returns>
    public bool TryEndOne()
    {
        if (_imports.Count == 0)
        {
            return false;
        }

        // What is left of copying one part takes less than giving a sequence's blocks up and back.
        _imports[0].Copied.Wait();
        End(_imports[0]);
        return true;
    }

    void End(ImportJob job)
    {
        if (!_imports.Remove(job))
        {
            return;
        }

        job.Ended.SetResult(memory.EndImport(job.Cache, !job.IsDropped));
        admissions.Unblock();
    }

    void Drop(CacheId cache)
    {
        memory.Drop(cache);
        foreach (var job in _imports)
        {
            job.IsDropped |= job.Cache.Id == cache;
        }

        foreach (var sequence in scheduler.Running)
        {
            sequence.IsDropped |= sequence.Cache.Id == cache;
        }

        foreach (var sequence in scheduler.Waiting)
        {
            sequence.IsDropped |= sequence.IsAnnounced && sequence.Cache.Id == cache;
        }
    }
}
