namespace Hearth.Engine.Memory;

/// <summary>Whether reading a spilled cache is faster than computing it again, from what both took lately.</summary>
sealed class RestoreCost
{
    double _restoreBytesPerSecond;
    double _prefillTokensPerSecond;

    public void Restored(long bytes, TimeSpan elapsed) => Learn(ref _restoreBytesPerSecond, bytes, elapsed);

    public void Prefilled(int tokens, TimeSpan elapsed) => Learn(ref _prefillTokensPerSecond, tokens, elapsed);

    /// <summary>Restoring is the rule; a few tokens, or a store measured to be much slower, are recomputed.</summary>
    public bool IsWorth(int tokens, long bytes)
    {
        if (_restoreBytesPerSecond == 0 || _prefillTokensPerSecond == 0)
        {
            return true;
        }

        var restore = bytes / _restoreBytesPerSecond;
        var compute = tokens / _prefillTokensPerSecond;
        return tokens < Limits.RestoreTokensMin ? restore < compute : restore < 2 * compute;
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
