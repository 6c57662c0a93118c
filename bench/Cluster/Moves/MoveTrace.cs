using System.Diagnostics;
using System.Runtime;

namespace Hearth.Cluster.Bench;

/// <summary>What ends each phase of a move, in the order of a move that does one thing after the other.</summary>
enum Mark
{
    /// <summary>The source's engine has let the reply go.</summary>
    Held,
    /// <summary>The last part and the state are on their way.</summary>
    State,
    /// <summary>The target is ready.</summary>
    Ready,
    /// <summary>The store has handed over.</summary>
    Owned,
    /// <summary>The target's engine has the reply.</summary>
    Submitted,
    /// <summary>It has made a token of it.</summary>
    Computed,
    /// <summary>The reader has it.</summary>
    Shown,
}

/// <summary>One pause between two tokens, in milliseconds.</summary>
/// <param name="Phases">By <see cref="Mark"/>: what passed until then and after all marks before; they add up.</param>
/// <param name="Collecting">Of garbage, with everything stopped, since the move began.</param>
/// <param name="Compiling">By the runtime, since the move began.</param>
sealed record MovePause(double Total, double[] Phases, double Collecting, double Compiling);

/// <summary>When the phases of a move ended. For one move at a time.</summary>
sealed class MoveTrace
{
    public static readonly Mark[] Marks = Enum.GetValues<Mark>();

    readonly Lock _lock = new();
    readonly long[] _at = new long[Marks.Length];
    bool _moving;
    TimeSpan _collecting;
    TimeSpan _compiling;

    public List<MovePause> Pauses { get; } = [];

    /// <summary>Whether the move that runs holds the reply.</summary>
    public bool IsHeld
    {
        get
        {
            lock (_lock)
                return _moving && _at[(int)Mark.Held] > 0;
        }
    }

    public void Begin()
    {
        lock (_lock)
        {
            Array.Clear(_at);
            (_moving, _collecting, _compiling) = (true, GC.GetTotalPauseDuration(), JitInfo.GetCompilationTime());
        }
    }

    public void Note(Mark mark)
    {
        lock (_lock)
            _at[(int)mark] = _moving ? Stopwatch.GetTimestamp() : 0;
    }

    /// <summary>The reader has the first token of another silo.</summary>
    /// <param name="before">When it had the last one.</param>
    public void Show(long before, long now)
    {
        lock (_lock)
        {
            if (!_moving)
                return;
            (_moving, _at[(int)Mark.Shown]) = (false, now);
            var (phases, reached) = (new double[_at.Length], before);
            for (var i = 0; i < _at.Length; i++)
            {
                phases[i] = Math.Max(0, Stopwatch.GetElapsedTime(reached, _at[i]).TotalMilliseconds);
                reached = Math.Max(reached, _at[i]);
            }
            Pauses.Add(new MovePause(Stopwatch.GetElapsedTime(before, now).TotalMilliseconds, phases,
                (GC.GetTotalPauseDuration() - _collecting).TotalMilliseconds,
                (JitInfo.GetCompilationTime() - _compiling).TotalMilliseconds));
        }
    }
}
