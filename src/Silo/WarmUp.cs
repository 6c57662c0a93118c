using Hearth.Contracts;

namespace Hearth.Silo;

/// <summary>One short reply that nobody reads: the first client must not wait for the machine code of the kernels.</summary>
static class WarmUp
{
    const int PromptTokens = 32, ReplyTokens = 4;

    public static async Task RunAsync(ITokenEngine engine, CancellationToken cancellationToken)
    {
        var request = new TokenRequest
        {
            Cache = new CacheId("warm-up"),
            Scope = "warm-up",
            Prompt = Enumerable.Range(0, Math.Min(PromptTokens, engine.Model.ContextLength - ReplyTokens))
                .Select(i => i % engine.Model.VocabularySize).ToArray(),
            Sampling = new SamplingOptions { Temperature = 0 },
            MaxTokens = ReplyTokens,
            Keep = false,
            Cancellation = cancellationToken,
        };
        if (engine.TrySubmit(request, out var chunks) is var refusal && refusal != TurnError.None)
            throw new InvalidOperationException($"The engine refused its first request: {refusal}.");
        await foreach (var chunk in chunks!.ReadAllAsync(cancellationToken))
        {
            if (chunk.Failure is { } failure)
                throw new InvalidOperationException($"The engine's first request failed: {failure.Message}");
        }
        await engine.DropAsync(request.Cache, cancellationToken);
    }
}
