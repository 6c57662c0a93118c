using Hearth.Contracts;
using Hearth.Engine.Devices;
using Hearth.Engine.Memory;
using Hearth.Engine.Sampling;
using Hearth.Engine.Scheduling;
using Microsoft.Extensions.Logging;

namespace Hearth.Engine;

/// <summary>The one owner of sequences and KV memory, on a thread of its own: receive, sweep, admit, grow, run, publish.
/// Everyone else posts to the inbox.</summary>
sealed partial class EngineLoop
{
    readonly IModelRunner _runner;
    readonly KvMemory _memory;
    readonly KvBlob _format;
    readonly EngineMetrics _metrics;
    readonly TimeProvider _time;
    readonly ILogger _log;
    readonly Inbox _inbox;
    readonly Scheduler _scheduler;
    readonly Sampler _sampler;
    readonly RestoreCost _cost = new();
    readonly Batch _batch;
    readonly float[] _logits;
    readonly float[] _raw;
    readonly int _sequencesMax;
    bool _isBlocked;
    bool _isStepping;

    public EngineLoop(
        IModelRunner runner, KvMemory memory, KvBlob format, EngineOptions options, Inbox inbox, EngineMetrics metrics, TimeProvider time, ILogger log)
    {
        (_runner, _memory, _format, _inbox, _metrics, _time, _log) = (runner, memory, format, inbox, metrics, time, log);
        _sequencesMax = options.MaxSequences;
        _scheduler = new Scheduler(options.MaxBatchTokens);
        _sampler = new Sampler(runner.VocabularySize);
        _batch = new Batch(options.MaxBatchTokens, options.MaxSequences);
        _logits = new float[options.MaxSequences * runner.VocabularySize];
        _raw = new float[runner.VocabularySize];
    }

    /// <summary>Starts a restore; set before the loop runs.</summary>
    public required Func<RestoreJob, bool> TryRestore { get; init; }

    /// <summary>Told when a sequence leaves the queue that <see cref="EngineOptions.MaxQueue"/> bounds, and when one ends.</summary>
    public required Action<Sequence> Dequeued { get; init; }
    public required Action<Sequence> Ended { get; init; }

    public void Run()
    {
        while (!_inbox.IsClosed)
        {
            try
            {
                Receive();
                Sweep();
                Admit();
                Grow();
                var ran = Step();
                Report();
                if (!ran)
                {
                    _inbox.Wait();
                }
            }
            catch (Exception e)
            {
                LogStepFailed(e);
                FailStep(e);
            }
        }

        Stop();
    }

    void Receive()
    {
        while (_inbox.TryTake(out var message))
        {
            switch (message)
            {
                case EngineMessage.Submitted submitted:
                    _scheduler.Enqueue(submitted.Sequence);
                    break;
                case EngineMessage.Restored restored:
                    EndRestore(restored.Job);
                    break;
                case EngineMessage.Export export:
                    var held = _memory.TryExport(export.Cache, export.Chunk, _format, out var blob, out var tokens);
                    export.Answer.SetResult(held ? (blob, tokens) : null);
                    break;
                case EngineMessage.Drop drop:
                    Drop(drop.Cache);
                    drop.Answer.SetResult();
                    break;
            }
        }
    }

    /// <summary>Ends what was cancelled, and notes whose reader is behind.</summary>
    void Sweep()
    {
        for (var i = _scheduler.Waiting.Count - 1; i >= 0; i--)
        {
            EndIfCancelled(_scheduler.Waiting[i]);
        }

        for (var i = _scheduler.Running.Count - 1; i >= 0; i--)
        {
            var sequence = _scheduler.Running[i];
            if (sequence.State == SequenceState.Running && !EndIfCancelled(sequence) && sequence.HasRoom == sequence.IsPaused)
            {
                Pause(sequence, !sequence.HasRoom);
            }
        }
    }

    bool EndIfCancelled(Sequence sequence)
    {
        if (sequence.Request.Cancellation.IsCancellationRequested)
        {
            Fail(sequence, TurnError.Cancelled, "The request was cancelled.", sequence.Request.Keep);
            return true;
        }

        if (sequence.IsAbandoned)
        {
            LogAbandoned(sequence.Cache.Id, Limits.ReaderPauseMax);
            Fail(sequence, TurnError.Cancelled, "The reply was not read.", sequence.Request.Keep);
            return true;
        }

        return false;
    }

    void Pause(Sequence sequence, bool pause)
    {
        sequence.PauseTimer?.Dispose();
        sequence.PauseTimer = null;
        sequence.IsPaused = pause;
        if (pause)
        {
            sequence.PauseTimer = _time.CreateTimer(_ => Abandon(sequence), null, Limits.ReaderPauseMax, Timeout.InfiniteTimeSpan);
        }
    }

    void Abandon(Sequence sequence)
    {
        sequence.IsAbandoned = true;
        _inbox.Wake();
    }

    /// <summary>First come, first served: the head of the queue waits for blocks, and everyone behind it.</summary>
    void Admit()
    {
        while (!_isBlocked && _scheduler.Waiting.Count > 0 && _scheduler.Active < _sequencesMax)
        {
            var sequence = _scheduler.Waiting[0];
            var spare = 1 + (_scheduler.Active / 8);
            if (!_memory.TryAdmit(sequence.Cache, sequence.Request.Keep, spare, out var admission))
            {
                _isBlocked = true;
                return;
            }

            if (sequence.IsAnnounced)
            {
                _scheduler.Start(sequence, SequenceState.Running);
                continue;
            }

            Dequeued(sequence);
            sequence.Admission = admission;
            if (!StartRestore(sequence))
            {
                _scheduler.Start(sequence, SequenceState.Running);
            }
        }
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

        if (!_cost.IsWorth(more, _memory.Host.SizeOf(more)))
        {
            _metrics.Restored("skipped");
            Announce(sequence, "computing was faster than restoring", true);
            return false;
        }

        var from = cached / _memory.BlockTokens * _memory.BlockTokens;
        var job = new RestoreJob(
            sequence, sequence.Request.Spill!, sequence.Cache.Blocks.Memory, from, reusable, sequence.Request.Cancellation);
        if (!TryRestore(job))
        {
            Announce(sequence, "too many restores under way", true);
            return false;
        }

        _scheduler.Start(sequence, SequenceState.Restoring);
        return true;
    }

    void EndRestore(RestoreJob job)
    {
        var sequence = (Sequence)job.Owner;
        var resident = sequence.Admission.Cached;
        var restored = job.Restored > resident;
        _metrics.Restored(job.Reason is null ? "restored" : restored ? "partial" : "rejected");
        _cost.Restored(job.Bytes, job.Elapsed);
        if (job.Reason is not null)
        {
            LogRestoreIncomplete(sequence.Cache.Id, job.Restored, job.To, job.Reason);
        }

        sequence.State = SequenceState.Running;
        _memory.Advance(sequence.Cache, Math.Max(job.Restored, resident));
        Announce(sequence, job.Reason, true);
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
        _metrics.Admitted(sequence.PromptLength, cached);
        sequence.Write(new TokenChunk { Kind = TokenChunkKind.Admitted, CachedTokens = cached, Cache = origin, CacheReason = reason });
    }

    /// <summary>Every decoding sequence gets a block for its next token, oldest first; the newest gives its own up if there is none.</summary>
    void Grow()
    {
        for (var i = 0; i < _scheduler.Running.Count; i++)
        {
            var sequence = _scheduler.Running[i];
            while (sequence.State == SequenceState.Running && sequence.HasRoom && !_memory.TryGrow(sequence.Cache, sequence.Known))
            {
                var victim = _scheduler.Victim()!;
                _metrics.Preempted();
                _memory.Suspend(victim.Cache);
                _scheduler.Preempt(victim);
                _isBlocked = false;
                i -= victim.Order <= sequence.Order ? 1 : 0;
            }
        }
    }

    bool Step()
    {
        _batch.Clear();
        var plan = _scheduler.Plan();
        if (plan.Length == 0)
        {
            return false;
        }

        foreach (var (sequence, count) in plan)
        {
            var cache = sequence.Cache;
            var wanted = count == sequence.Remaining ? LogitsWanted.Last : LogitsWanted.None;
            _batch.Add(cache.Tokens.Span.Slice(cache.Computed, count), cache.Computed, cache.Blocks.Memory, wanted);
        }

        _isStepping = true;
        var start = _time.GetTimestamp();
        _runner.Run(_batch, _logits.AsSpan(0, _batch.LogitRows * _runner.VocabularySize));
        var elapsed = _time.GetElapsedTime(start);
        _metrics.Stepped(elapsed);
        if (_batch.Rows > plan.Length)
        {
            _cost.Prefilled(_batch.Rows, elapsed);
        }

        for (var i = 0; i < plan.Length; i++)
        {
            var (sequence, count) = plan[i];
            _memory.Advance(sequence.Cache, sequence.Cache.Computed + count);
            if (_batch.Sequences[i].LogitCount > 0)
            {
                Publish(sequence, _logits.AsSpan(_batch.Sequences[i].LogitRow * _runner.VocabularySize, _runner.VocabularySize));
            }
        }

        _isStepping = false;
        return true;
    }

    void Publish(Sequence sequence, Span<float> logits)
    {
        var request = sequence.Request;
        if (request.Logprobs)
        {
            logits.CopyTo(_raw);
        }

        int token;
        try
        {
            token = _sampler.Choose(logits, request.Sampling, sequence.Penalties, sequence.Seed, sequence.Known);
        }
        catch (InvalidOperationException e)
        {
            LogSamplingFailed(e, sequence.Cache.Id);
            Fail(sequence, TurnError.Internal, e.Message, false);
            return;
        }

        sequence.Cache.Tokens.Add(token);
        sequence.Penalties?.Add(token);
        _metrics.Generated();
        var (logprob, top) = request.Logprobs ? _sampler.Logprobs(_raw, token, request.Sampling.TopLogprobs) : (0, null);
        sequence.Write(new TokenChunk { Kind = TokenChunkKind.Token, Token = token, Logprob = logprob, Top = top });
        if (sequence.IsStop(token) || sequence.Known == sequence.KnownMax)
        {
            var reason = sequence.IsStop(token) ? FinishReason.Stop : FinishReason.Length;
            End(sequence, new TokenChunk { Kind = TokenChunkKind.Finished, Reason = reason }, request.Keep);
        }
    }

    void Drop(CacheId cache)
    {
        _memory.Drop(cache);
        for (var i = 0; i < _scheduler.Running.Count; i++)
        {
            _scheduler.Running[i].IsDropped |= _scheduler.Running[i].Cache.Id == cache;
        }

        for (var i = 0; i < _scheduler.Waiting.Count; i++)
        {
            _scheduler.Waiting[i].IsDropped |= _scheduler.Waiting[i].IsAnnounced && _scheduler.Waiting[i].Cache.Id == cache;
        }
    }

    /// <summary>What ran in the failed step cannot go on: its keys and values are not known to be right.
    /// Outside a step nothing is known to be right.</summary>
    void FailStep(Exception e)
    {
        for (var i = _scheduler.Running.Count - 1; i >= 0; i--)
        {
            var sequence = _scheduler.Running[i];
            if (sequence.State == SequenceState.Running && (!_isStepping || _scheduler.IsPlanned(sequence)))
            {
                Fail(sequence, TurnError.Internal, $"The engine's step failed: {e.GetType().Name}.", false);
            }
        }

        _isStepping = false;
    }

    /// <summary>Answers everyone who is still waiting for something.</summary>
    void Stop()
    {
        while (_scheduler.Running.Count + _scheduler.Waiting.Count > 0)
        {
            var sequence = _scheduler.Running.Count > 0 ? _scheduler.Running[^1] : _scheduler.Waiting[^1];
            Fail(sequence, TurnError.Draining, "The engine stops.", false);
        }

        while (_inbox.TryTake(out var message))
        {
            switch (message)
            {
                case EngineMessage.Submitted submitted:
                    Fail(submitted.Sequence, TurnError.Draining, "The engine stops.", false);
                    break;
                case EngineMessage.Export export:
                    export.Answer.SetResult(null);
                    break;
                case EngineMessage.Drop drop:
                    drop.Answer.SetResult();
                    break;
            }
        }

        Report();
    }

    void Fail(Sequence sequence, TurnError error, string message, bool keep) =>
        End(sequence, new TokenChunk { Kind = TokenChunkKind.Failed, Failure = new TurnFailure(error, message) }, keep);

    void End(Sequence sequence, in TokenChunk last, bool keep)
    {
        if (!sequence.IsAnnounced && sequence.State == SequenceState.Waiting)
        {
            Dequeued(sequence);
        }
        else
        {
            _memory.Close(sequence.Cache, keep && !sequence.IsDropped);
        }

        _isBlocked = false;
        Pause(sequence, false);
        sequence.Cancelled.Unregister();
        _scheduler.Finish(sequence);
        sequence.Write(last);
        sequence.Complete();
        Ended(sequence);
    }

    void Report() => _metrics.Now(_scheduler.Active, _scheduler.Waiting.Count, _memory.Pool.Used, _memory.Host.BytesUsed);

    [LoggerMessage(1, LogLevel.Error, "An engine step failed; its sequences end.")]
    partial void LogStepFailed(Exception e);

    [LoggerMessage(2, LogLevel.Error, "Sampling failed for {Cache}.")]
    partial void LogSamplingFailed(Exception e, CacheId cache);

    [LoggerMessage(3, LogLevel.Warning, "The reply of {Cache} was not read for {Limit}; it ends.")]
    partial void LogAbandoned(CacheId cache, TimeSpan limit);

    [LoggerMessage(4, LogLevel.Warning, "The cache of {Cache} was restored up to token {Restored} of {Wanted}: {Reason}.")]
    partial void LogRestoreIncomplete(CacheId cache, int restored, int wanted, string reason);
}
