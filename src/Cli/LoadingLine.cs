namespace Hearth.Cli;

/// <summary>Shows on standard error how far loading is: one line that renews itself in a terminal, a line per 10 %
/// elsewhere.</summary>
sealed class LoadingLine(TimeProvider time)
{
    static readonly TimeSpan _patience = TimeSpan.FromSeconds(0.5);
    readonly long _start = time.GetTimestamp();
    readonly bool _terminal = !Console.IsErrorRedirected;
    int _shown;

    public void Report(long bytesDone, long bytesTotal)
    {
        var percent = (int)(100 * bytesDone / Math.Max(bytesTotal, 1));
        var elapsed = time.GetElapsedTime(_start);
        // A model that is there at once needs no progress.
        if (elapsed < _patience || percent == _shown || (!_terminal && percent / 10 == _shown / 10))
            return;
        _shown = percent;
        var rate = bytesDone / elapsed.TotalSeconds;
        var left = TimeSpan.FromSeconds((bytesTotal - bytesDone) / rate);
        var line = $"Loading {percent} %: {ByteSize.Format(bytesDone)} of {ByteSize.Format(bytesTotal)}, " +
            $"{ByteSize.Format((long)rate)}/s, {left.TotalSeconds:0} s left";
        Console.Error.Write(_terminal ? $"\r{line}   {(percent == 100 ? "\n" : "")}" : line + "\n");
    }
}
