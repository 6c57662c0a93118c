namespace Hearth.Engine.Memory;

/// <summary>Whether and from where reading a spilled cache is faster than computing it again, from what both took
/// lately.</summary>
sealed class RestoreCost
{
    readonly Dictionary<string, Source> _sources = new(StringComparer.Ordinal);
    double _prefillTokensPerSecond;

    public void Restored(string source, long bytes, TimeSpan elapsed)
    {
        if (!_sources.TryGetValue(source, out var known))
        {
            if (_sources.Count == Limits.RestoreSourcesMax)
            {
                _sources.Clear();
            }

            _sources.Add(source, known = new Source());
        }

        Learn(ref known.BytesPerSecond, bytes, elapsed);
    }

    public void Prefilled(int tokens, TimeSpan elapsed) => Learn(ref _prefillTokensPerSecond, tokens, elapsed);

    /// <returns>Time to read so many bytes and to compute so many tokens after them; what was not measured costs
    /// nothing.</returns>
    public double Seconds(string source, long bytes, int tokens) => Read(Known(source), bytes) + Compute(tokens);

    /// <summary>Restoring is the rule; a few tokens, or a source measured to be much slower, are recomputed. Now and then it is
    /// tried all the same: one slow read would otherwise be the last one, and never be put right.</summary>
    public bool IsWorth(string source, int tokens, long bytes)
    {
        if (Known(source) is not { } known || _prefillTokensPerSecond == 0)
        {
            return true;
        }

        var compute = Compute(tokens);
        var most = tokens < Limits.RestoreTokensMin ? compute : 2 * compute;
        if (Read(known, bytes) < most || ++known.Refused == Limits.RestoreTriedEvery)
        {
            known.Refused = 0;
            return true;
        }

        return false;
    }

    /// <returns>Null when nothing was read from it yet.</returns>
    Source? Known(string source) => _sources.GetValueOrDefault(source) is { BytesPerSecond: > 0 } known ? known : null;

    static double Read(Source? source, long bytes) => source is null ? 0 : bytes / source.BytesPerSecond;

    double Compute(int tokens) => _prefillTokensPerSecond == 0 ? 0 : tokens / _prefillTokensPerSecond;

    static void Learn(ref double rate, double amount, TimeSpan elapsed)
    {
        if (amount > 0 && elapsed > TimeSpan.Zero)
        {
            var measured = amount / elapsed.TotalSeconds;
            rate = rate == 0 ? measured : (0.75 * rate) + (0.25 * measured);
        }
    }

    sealed class Source
    {
        public double BytesPerSecond;
        public int Refused;
    }
}
