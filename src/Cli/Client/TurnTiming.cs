namespace Hearth.Cli.Client;

/// <summary>What one streamed turn took, on the monotonic clock.</summary>
sealed class TurnTiming(TimeProvider time)
{
    readonly long _start = time.GetTimestamp();
    long _first;
    long _last;

    public string? Cache { get; private set; }
    public string? Conversation { get; private set; }
    public int PromptTokens { get; private set; }
    public int CompletionTokens { get; private set; }
    public int CachedTokens { get; private set; }

    /// <summary>From sending the request to the first text.</summary>
    public TimeSpan FirstToken => time.GetElapsedTime(_start, _first == 0 ? _last : _first);

    public TimeSpan Total => time.GetElapsedTime(_start, _last);

    /// <summary>Tokens after the first one, per second; 0 if there was only one.</summary>
    public double TokensPerSecond =>
        CompletionTokens > 1 && _last > _first ? (CompletionTokens - 1) / time.GetElapsedTime(_first, _last).TotalSeconds : 0;

    public void Observe(ChatEvent part)
    {
        var now = time.GetTimestamp();
        if (part.Text is { Length: > 0 })
        {
            _first = _first == 0 ? now : _first;
            _last = now;
        }
        _last = _last == 0 ? now : _last;
        Cache ??= part.Cache;
        Conversation ??= part.Conversation;
        PromptTokens = part.PromptTokens ?? PromptTokens;
        CompletionTokens = part.CompletionTokens ?? CompletionTokens;
        CachedTokens = part.CachedTokens ?? CachedTokens;
    }

    public string Summary() =>
        $"{CompletionTokens} tokens, {TokensPerSecond:0} tokens/s, first after {FirstToken.TotalMilliseconds:0} ms, " +
        $"cache {Cache ?? "unknown"}: {CachedTokens} of {PromptTokens} prompt tokens";
}
