using Hearth.Contracts;
using Hearth.Engine.Memory;
using Hearth.Engine.Scheduling;
using Microsoft.Extensions.Logging;

namespace Hearth.Engine;

/// <summary>Gives waiting sequences their blocks, fetches what a spill holds of their prompts, and says what was cached.
/// Owned by the loop's thread.</summary>
/// <param name="tryRestore">Starts a restore beside the loop; false if it cannot.</param>
/// <param name="dequeued">Told when a sequence leaves the queue that <see cref="EngineOptions.MaxQueue"/> bounds.</param>
sealed partial class Admissions(
    KvMemory memory, Scheduler scheduler, EngineMetrics metrics, int sequencesMax, ILogger log,
    Func<RestoreJob, bool> tryRestore, Action<Sequence> dequeued, TimeProvider time)
{
    readonly ILogger _log = log;
    bool _isBlocked;

    public RestoreCost Cost { get; } = new();

    /// <summary>Blocks were given back, or someone else is next: try again.</summary>
    public void Unblock() => _isBlocked = false;

    /// <summary>A sequence ends that never got its blocks.</summary>
    public void Dequeued(Sequence sequence) => dequeued(sequence);

    /// <summary>While the next in the queue waits for blocks so do all behind it: the small do not starve the large.</summary>
    public void Run()
    {
        while (!_isBlocked && scheduler.Next() is { } sequence)
        {
            var spare = 1 + (scheduler.Active / 8);
            if (scheduler.Active >= sequencesMax
                || !memory.TryAdmit(sequence.Cache, sequence.Request.Keep, spare, out var admission))
            {
                _isBlocked = !SuspendPaused();
                continue;
            }

            if (sequence.IsAnnounced)
            {
                scheduler.Start(sequence, SequenceState.Running);
                continue;
            }

            dequeued(sequence);
            sequence.Admission = admission;
            sequence.Marks.Start(time.GetTimestamp());
            if (admission.Cached > admission.Device)
            {
                metrics.FromHost();
            }

            if (StartRestore(sequence))
            {
                scheduler.Start(sequence, SequenceState.Restoring);
                continue;
            }

            scheduler.Start(sequence, SequenceState.Running);
            Announce(sequence);
        }
    }

    /// <summary>A sequence's blocks go, to come back exactly as they were.</summary>
    public void Suspend(Sequence sequence)
    {
        metrics.Preempted();
        memory.Suspend(sequence.Cache);
        scheduler.Preempt(sequence);
        Unblock();
    }

    public void EndRestore(RestoreJob job)
    {
        var sequence = (Sequence)job.Owner;
        var resident = sequence.Cache.Computed;
        var restored = job.Restored > resident;
        metrics.Restored(job.Reason is null ? "restored" : restored ? "partial" : "rejected", job);
        sequence.Marks.Restore(time.GetTimestamp());
        Cost.Restored(job.Source.Name, job.Bytes, job.Elapsed);
        if (job.Reason is not null)
        {
            LogRestoreIncomplete(sequence.Cache.Id, job.Restored, job.To, job.Reason);
        }

        if (sequence.State != SequenceState.Restoring)
        {
            return;
        }

        if (restored)
        {
            sequence.RestoredFrom = job.Source;
            sequence.Cache.IsExact &= job.IsExact;
            memory.Advance(sequence.Cache, job.Restored);
        }

        sequence.Sources.Remove(job.Source);
        sequence.CacheReason = job.Reason is null ? null
            : sequence.CacheReason is null ? job.Reason : $"{sequence.CacheReason}; {job.Reason}";
        if (job.Reason is null || sequence.IsAskedToEnd || !StartRestore(sequence))
        {
            sequence.State = SequenceState.Running;
            Announce(sequence);
        }
    }

    /// <summary>A slow reader must not hold a place that another reply could use.</summary>
    bool SuspendPaused()
    {
        if (scheduler.Victim() is not { IsPaused: true } paused)
        {
            return false;
        }

        Suspend(paused);
        return true;
    }

    /// <summary>Has more of the prompt's cache read where there is more.</summary>
    bool StartRestore(Sequence sequence)
    {
        var cached = sequence.Cache.Computed;
        if (Choose(sequence, cached) is not var (source, reusable))
        {
            return false;
        }

        var more = reusable - cached;
        sequence.Existed = true;
        if (!Cost.IsWorth(source.Name, more, memory.Host.SizeOf(more)))
        {
            metrics.Skipped(source);
            sequence.CacheReason ??= $"computing was faster than reading from {source.Name}";
            return false;
        }

        var from = cached / memory.BlockTokens * memory.BlockTokens;
        if (!tryRestore(new RestoreJob(sequence, source, sequence.Request, sequence.Cache.Blocks.Memory, from, reusable)))
        {
            sequence.CacheReason ??= "too many restores under way";
            return false;
        }

        return true;
    }

    /// <summary>The source by which the prompt is ready soonest, and how much of the prompt it holds; null if none holds more.
    /// One that was not measured yet is tried.</summary>
    (SpillSource Source, int Reusable)? Choose(Sequence sequence, int cached)
    {
        var prompt = sequence.Request.Prompt.Span[..^1];
        (SpillSource, int)? best = null;
        var soonest = double.PositiveInfinity;
        foreach (var source in sequence.Sources)
        {
            var reusable = source.Tokens.Span.CommonPrefixLength(prompt);
            var seconds = Cost.Seconds(source.Name, memory.Host.SizeOf(reusable - cached), prompt.Length - reusable);
            if (reusable > cached && seconds < soonest)
            {
                (best, soonest) = ((source, reusable), seconds);
            }
        }

        return best;
    }

    void Announce(Sequence sequence)
    {
        var cached = sequence.Cache.Computed;
        var existed = sequence.Existed;
        if (cached == 0 && sequence.CacheReason is null && (sequence.Admission.Existed || sequence.Sources.Count > 0))
        {
            (sequence.CacheReason, existed) = ("the prompt does not start as the cached tokens do", true);
        }

        var origin = cached > sequence.Admission.Device ? sequence.RestoredFrom?.Spill.Origin ?? CacheOrigin.Restored
            : existed ? CacheOrigin.Recomputed
            : cached > 0 ? CacheOrigin.Hit : CacheOrigin.New;
        if (!sequence.Cache.IsExact)
        {
            const string rounded = "restored from int8";
            sequence.CacheReason = sequence.CacheReason is null ? rounded : $"{rounded}; {sequence.CacheReason}";
        }

        sequence.IsAnnounced = true;
        metrics.Admitted(sequence.PromptLength, cached);
        sequence.Write(new TokenChunk
        {
            Kind = TokenChunkKind.Admitted,
            CachedTokens = cached,
            Cache = origin,
            CacheReason = sequence.CacheReason,
        });
    }

    [LoggerMessage(4, LogLevel.Warning, "The cache of {Cache} was restored up to token {Restored} of {Wanted}: {Reason}.")]
    partial void LogRestoreIncomplete(CacheId cache, int restored, int wanted, string reason);
}
