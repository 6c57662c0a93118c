using Hearth.Contracts;

namespace Hearth.Engine.Sampling;

/// <summary>What changes a sequence's logits before they are filtered: bias and the penalties on tokens that were used.</summary>
sealed class Penalties
{
    readonly SamplingOptions _options;

    /// <summary>Every token of prompt and reply with the times it is in the reply.</summary>
    readonly Dictionary<int, int> _counts = [];

    /// <param name="tokens">Prompt and the reply so far.</param>
    /// <param name="replyStart">Where the reply starts in them.</param>
    public Penalties(SamplingOptions options, ReadOnlySpan<int> tokens, int replyStart)
    {
        _options = options;
        for (var i = 0; i < tokens.Length; i++)
        {
            Count(tokens[i], i < replyStart ? 0 : 1);
        }
    }

    public static bool Needed(SamplingOptions options) =>
        options.RepetitionPenalty != 1 || options.FrequencyPenalty != 0 || options.PresencePenalty != 0
        || options.LogitBias is { Count: > 0 };

    public void Add(int token) => Count(token, 1);

    /// <summary>transformers' order: bias, repetition (prompt and reply), then OpenAI's two (reply only).</summary>
    public void Apply(Span<float> logits)
    {
        if (_options.LogitBias is { } bias)
        {
            foreach (var (token, added) in bias)
            {
                logits[token] += added;
            }
        }

        foreach (var (token, count) in _counts)
        {
            ref var logit = ref logits[token];
            logit = logit < 0 ? logit * _options.RepetitionPenalty : logit / _options.RepetitionPenalty;
            if (count > 0)
            {
                logit -= (_options.FrequencyPenalty * count) + _options.PresencePenalty;
            }
        }
    }

    void Count(int token, int times) => _counts[token] = _counts.GetValueOrDefault(token) + times;
}
