using Hearth.Contracts;

namespace Hearth.Engine;

/// <summary>What a request must be before the engine's thread sees it.</summary>
static class RequestCheck
{
    public static TurnError Check(TokenRequest request, ModelCard model, CachePolicy cache)
    {
        var prompt = request.Prompt.Span;
        if (prompt.Length >= model.ContextLength)
        {
            return TurnError.ContextLengthExceeded;
        }

        var isValid = prompt.Length > 0
            && request.MaxTokens >= 1
            && cache.Allows(request.Kind)
            && request.ReplyTokens >= 0 && request.ReplyTokens < prompt.Length
            && request.StopTokens.Count <= Limits.StopTokensMax
            && IsValid(request.Sampling, model.VocabularySize)
            && !prompt.ContainsAnyExceptInRange(0, model.VocabularySize - 1);
        return isValid ? TurnError.None : TurnError.InvalidRequest;
    }

    static bool IsValid(SamplingOptions options, int vocabulary) =>
        float.IsFinite(options.Temperature) && options.Temperature >= 0
        && options.TopK >= 0
        && options.TopP is > 0 and <= 1
        && options.MinP is >= 0 and <= 1
        && float.IsFinite(options.RepetitionPenalty) && options.RepetitionPenalty > 0
        && float.IsFinite(options.FrequencyPenalty) && float.IsFinite(options.PresencePenalty)
        && options.TopLogprobs is >= 0 and <= Limits.TopLogprobsMax
        && (options.LogitBias is not { } bias
            || (bias.Count <= Limits.LogitBiasMax
                && bias.All(pair => pair.Key >= 0 && pair.Key < vocabulary && !float.IsNaN(pair.Value))));
}
