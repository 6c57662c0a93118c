using System.Runtime.InteropServices;

namespace Hearth.Engine.Scheduling;

/// <summary>A sequence's part of the next step.</summary>
readonly record struct Slice(Sequence Sequence, int Tokens);

/// <summary>Decides who computes how much in the next step. Pure: no clock, no device, no memory.
/// <para>Every decoding sequence gets its token first. What the budget leaves goes to prompts: a share to the oldest one, so that
/// short prompts cannot starve it, then to the one with the least left, so that a long prompt does not hold up short ones,
/// and what remains to the oldest again.</para></summary>
sealed class Scheduler(int budgetMax)
{
    readonly List<Sequence> _running = [];
    readonly List<Sequence> _waiting = [];
    readonly List<Sequence> _prompts = [];
    readonly List<Slice> _plan = [];
    readonly Dictionary<string, int> _activeByScope = new(StringComparer.Ordinal);

    /// <summary>By arrival.</summary>
    public IReadOnlyList<Sequence> Running => _running;

    /// <summary>By arrival.</summary>
    public IReadOnlyList<Sequence> Waiting => _waiting;

    public int Active => _running.Count;

    /// <summary>Who gets blocks next: the preempted first, then the scope that has the fewest active sequences, then by arrival.
    /// So a tenant's flood waits behind its own requests, not before another tenant's. Slow readers' sequences wait on.
    /// </summary>
    public Sequence? Next()
    {
        _activeByScope.Clear();
        foreach (var sequence in _running)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(_activeByScope, sequence.Cache.Scope, out _)++;
        }

        var (next, fewest) = ((Sequence?)null, int.MaxValue);
        foreach (var sequence in _waiting)
        {
            if (sequence.IsPaused)
            {
                continue;
            }

            var active = sequence.IsAnnounced ? -1 : _activeByScope.GetValueOrDefault(sequence.Cache.Scope);
            if (active < fewest)
            {
                (next, fewest) = (sequence, active);
            }
        }

        return next;
    }

    public void Enqueue(Sequence sequence)
    {
        sequence.State = SequenceState.Waiting;
        Insert(_waiting, sequence);
    }

    public void Start(Sequence sequence, SequenceState state)
    {
        _waiting.Remove(sequence);
        sequence.State = state;
        Insert(_running, sequence);
    }

    public void Preempt(Sequence sequence)
    {
        _running.Remove(sequence);
        Enqueue(sequence);
    }

    public void Finish(Sequence sequence)
    {
        (sequence.State == SequenceState.Waiting ? _waiting : _running).Remove(sequence);
        sequence.State = SequenceState.Done;
    }

    /// <summary>The sequence that gives its blocks up first: one whose reader is behind, else the newest;
    /// null if none can.</summary>
    public Sequence? Victim()
    {
        Sequence? victim = null;
        foreach (var sequence in _running)
        {
            if (sequence.State == SequenceState.Running && (victim is null || !victim.IsPaused || sequence.IsPaused))
            {
                victim = sequence;
            }
        }

        return victim;
    }

    /// <summary>What <see cref="Plan"/> gave last.</summary>
    public ReadOnlySpan<Slice> Planned => CollectionsMarshal.AsSpan(_plan);

    /// <summary>The next step's slices; valid until the next call.</summary>
    public ReadOnlySpan<Slice> Plan()
    {
        _plan.Clear();
        _prompts.Clear();
        var budget = budgetMax;
        foreach (var sequence in _running)
        {
            if (sequence.State != SequenceState.Running || sequence.IsPaused)
            {
                continue;
            }

            if (sequence.Remaining > 1)
            {
                _prompts.Add(sequence);
            }
            else if (budget > 0)
            {
                _plan.Add(new Slice(sequence, 1));
                budget--;
            }
        }

        PlanPrompts(budget);
        return CollectionsMarshal.AsSpan(_plan);
    }

    public bool IsPlanned(Sequence sequence)
    {
        foreach (var slice in _plan)
        {
            if (slice.Sequence == sequence)
            {
                return true;
            }
        }

        return false;
    }

    void PlanPrompts(int budget)
    {
        if (_prompts.Count == 0 || budget == 0)
        {
            return;
        }

        var oldest = _prompts[0];
        var share = Math.Min(oldest.Remaining, Math.Max(1, budget / Limits.OldestPromptShare));
        budget -= share;
        _prompts.RemoveAt(0);
        _prompts.Sort(static (a, b) =>
            a.Remaining != b.Remaining ? a.Remaining.CompareTo(b.Remaining) : a.Order.CompareTo(b.Order));
        foreach (var sequence in _prompts)
        {
            var tokens = Math.Min(sequence.Remaining, budget);
            if (tokens > 0)
            {
                _plan.Add(new Slice(sequence, tokens));
                budget -= tokens;
            }
        }

        _plan.Add(new Slice(oldest, share + Math.Min(oldest.Remaining - share, budget)));
    }

    static void Insert(List<Sequence> list, Sequence sequence)
    {
        var at = list.Count;
        while (at > 0 && list[at - 1].Order > sequence.Order)
        {
            at--;
        }

        list.Insert(at, sequence);
    }
}
