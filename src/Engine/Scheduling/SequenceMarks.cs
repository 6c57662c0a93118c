using System.Diagnostics;

namespace Hearth.Engine.Scheduling;

/// <summary>When a sequence came to what, in timestamps of the engine's clock; 0 for what has not been.</summary>
/// <param name="trace">Whose part it is, if anybody follows it.</param>
sealed class SequenceMarks(long submitted, ActivityContext trace)
{
    /// <summary>Tokens of a step group of a trace: one event for each.</summary>
    public const int GroupTokens = 32;

    /// <summary>Kept for followed sequences only.</summary>
    readonly List<long>? _groups = trace == default ? null : [];

    public ActivityContext Trace => trace;
    public long Submitted => submitted;

    /// <summary>Got its blocks for the first time.</summary>
    public long Started { get; private set; }

    /// <summary>All of its cache that could be had is there.</summary>
    public long Restored { get; private set; }

    public long FirstToken { get; private set; }
    public long LastToken { get; private set; }
    public int Tokens { get; private set; }

    /// <summary>When every <see cref="GroupTokens"/>th token came.</summary>
    public IReadOnlyList<long> Groups => _groups ?? [];

    public void Start(long now) => Started = Started == 0 ? now : Started;

    public void Restore(long now) => Restored = now;

    public void Generated(long now)
    {
        FirstToken = Tokens == 0 ? now : FirstToken;
        LastToken = now;
        if (++Tokens % GroupTokens == 0 && _groups?.Count < Limits.TraceGroupsMax)
        {
            _groups.Add(now);
        }
    }
}
