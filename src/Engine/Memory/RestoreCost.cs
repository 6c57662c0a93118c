namespace Hearth.Engine.Memory;

/// <summary>Whether reading a spilled cache is faster than computing it again, from what both took lately.</summary>
sealed class RestoreCost
{
    double _restoreBytesPerSecond;
    double _prefillTokensPerSecond;
    int _refused;

    public void Restored(long bytes, TimeSpan elapsed) => Learn(ref _restoreBytesPerSecond, bytes, elapsed);

    public void Prefilled(int tokens, TimeSpan elapsed) => Learn(ref _prefillTokensPerSecond, tokens, elapsed);

    /// <summary>Restoring is the rule; a few tokens, or a store measured to be much slower, are recomputed. Now and then it is
    /// tried all the same: one slow read would otherwise be the last one, and never be put right.</summary>
    public bool IsWorth(int tokens, long bytes)
    {
        if (_restoreBytesPerSecond == 0 || _prefillTokensPerSecond == 0)
        {
            return true;
        }

        var restore = bytes / _restoreBytesPerSecond;
        var compute = tokens / _prefillTokensPerSecond;
        if (restore < (tokens < Limits.RestoreTokensMin ? compute : 2 * compute) || ++_refused == Limits.RestoreTriedEvery)
        {
            _refused = 0;
            return true;
        }

        return false;
    }

    static void Learn(ref double rate, double amount, TimeSpan elapsed)
    {
        if (amount > 0 && elapsed > TimeSpan.Zero)
        {
            var measured = amount / elapsed.TotalSeconds;
            rate = rate == 0 ? measured : (0.75 * rate) + (0.25 * measured);
        }
    }
}
