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
    Func<RestoreJob, bool> tryRestore, Action<Sequence> dequeued)
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
            scheduler.Start(sequence, StartRestore(sequence) ? SequenceState.Restoring : SequenceState.Running);
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
        var resident = sequence.Admission.Cached;
        var restored = job.Restored > resident;
        metrics.Restored(job.Reason is null ? "restored" : restored ? "partial" : "rejected");
        Cost.Restored(job.Bytes, job.Elapsed);
        if (job.Reason is not null)
        {
            LogRestoreIncomplete(sequence.Cache.Id, job.Restored, job.To, job.Reason);
        }

        if (sequence.State == SequenceState.Restoring)
        {
            sequence.State = SequenceState.Running;
            memory.Advance(sequence.Cache, Math.Max(job.Restored, resident));
            Announce(sequence, job.Reason, true);
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

    /// <summary>Announces the sequence, or has its spill read first where that holds more.</summary>
    bool StartRestore(Sequence sequence)
    {
        var cached = sequence.Admission.Cached;
        var reusable = sequence.SpillTokens.Span.CommonPrefixLength(sequence.Request.Prompt.Span[..^1]);
        var more = reusable - cached;
        if (more <= 0)
        {
            Announce(sequence, null, false);
            return false;
        }

        if (!Cost.IsWorth(more, memory.Host.SizeOf(more)))
        {
            metrics.Restored("skipped");
            Announce(sequence, "computing was faster than restoring", true);
            return false;
        }

        var from = cached / memory.BlockTokens * memory.BlockTokens;
        var job = new RestoreJob(sequence, sequence.Request, sequence.Cache.Blocks.Memory, from, reusable);
        if (!tryRestore(job))
        {
            Announce(sequence, "too many restores under way", true);
            return false;
        }

        return true;
    }

    /// <param name="existed">Whether a spill held more than what was resident.</param>
    void Announce(Sequence sequence, string? reason, bool existed)
    {
        var cached = sequence.Cache.Computed;
        if (cached == 0 && reason is null && (sequence.Admission.Existed || sequence.SpillTokens.Length > 0))
        {
            (reason, existed) = ("the prompt does not start as the cached tokens do", true);
        }

        var origin = cached > sequence.Admission.Device ? CacheOrigin.Restored
            : existed ? CacheOrigin.Recomputed
            : cached > 0 ? CacheOrigin.Hit : CacheOrigin.New;
        sequence.IsAnnounced = true;
        metrics.Admitted(sequence.PromptLength, cached);
        sequence.Write(new TokenChunk
        {
            Kind = TokenChunkKind.Admitted,
            CachedTokens = cached,
            Cache = origin,
            CacheReason = reason,
        });
    }

    [LoggerMessage(4, LogLevel.Warning, "The cache of {Cache} was restored up to token {Restored} of {Wanted}: {Reason}.")]
    partial void LogRestoreIncomplete(CacheId cache, int restored, int wanted, string reason);
}
