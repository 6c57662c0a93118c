namespace Hearth.Cluster.Bench;

/// <summary>What came of some talks.</summary>
sealed class MoveTally
{
    public int Moves;
    public int Turns;
    public List<string> Differences { get; } = [];
    public Dictionary<string, int> Refusals { get; } = [];
    public Dictionary<Moment, int> Moments { get; } = [];
    public List<double> Steps { get; } = [];
    public List<double> Pauses { get; } = [];

    /// <summary>Bytes and seconds of copies ahead, of conversations that ran and of those that did not.</summary>
    public List<(long Bytes, double Seconds)> Copies { get; } = [];
    public List<(long Bytes, double Seconds)> IdleCopies { get; } = [];

    /// <summary>The processor's time for moves of idle conversations.</summary>
    public TimeSpan IdleCpu { get; set; }

    public void Refused(string reason) => Refusals[reason] = Refusals.GetValueOrDefault(reason) + 1;

    public void Add(Follower follower, bool moved)
    {
        if (moved)
            Pauses.AddRange(follower.Pauses);
        else
            Steps.AddRange(follower.Steps);
    }
}
