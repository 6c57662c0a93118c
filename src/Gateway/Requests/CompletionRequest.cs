using System.Text.Json;
using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary>One prompt of a plain completion: text or token ids.</summary>
readonly record struct RawPrompt(string? Text, IReadOnlyList<int>? Tokens);

/// <summary>A plain completion request that has been checked.</summary>
sealed record CompletionRequest
{
    // OpenAI's default for this endpoint.
    const int TokensDefault = 16;

    public required string Model { get; init; }
    public required IReadOnlyList<RawPrompt> Prompts { get; init; }
    public required GenerationOptions Generation { get; init; }
    public required Delivery Delivery { get; init; }
    public string? CacheSalt { get; init; }

    /// <returns>Null if anything is wrong with it: then <paramref name="faults"/> says what.</returns>
    public static CompletionRequest? Read(JsonElement root, IReadOnlyList<ModelCard> models, Faults faults)
    {
        var request = new Fields(root, "", faults);
        var model = GenerationFields.Model(request, models);
        var vocabulary = model?.VocabularySize ?? int.MaxValue;
        if (request.Flag("echo") == true)
        {
            request.Fail("echo", "is not supported yet.");
        }
        if (request.Text("suffix", Limits.ContentCharsMax) is { Length: > 0 })
        {
            request.Fail("suffix", "is not supported yet.");
        }
        var generation = GenerationFields.Read(request, vocabulary);
        if (request.Integer("best_of", 1, Limits.ChoicesMax) is { } best && best != generation.Choices)
        {
            request.Fail("best_of", "is not supported yet; leave it out, or make it equal to n.");
        }
        var logprobs = (int?)request.Integer("logprobs", 0, Limits.TopLogprobsMax);
        var read = new CompletionRequest
        {
            Model = model?.Name ?? "",
            Prompts = RawPrompts.Read(request, vocabulary),
            Generation = generation with
            {
                MaxTokens = generation.MaxTokens ?? TokensDefault,
                Logprobs = logprobs is not null,
                Sampling = generation.Sampling with { TopLogprobs = logprobs ?? 0 },
            },
            Delivery = GenerationFields.ReadDelivery(request),
            CacheSalt = request.Text("cache_salt", Limits.CacheSaltMax, 1),
        };
        return faults.First is null ? read : null;
    }
}

/// <summary>The <c>prompt</c> of a plain completion: a string, token ids, or an array of either.</summary>
static class RawPrompts
{
    public static List<RawPrompt> Read(Fields request, int vocabulary)
    {
        var prompts = new List<RawPrompt>();
        switch (request.Get("prompt"))
        {
            case { ValueKind: JsonValueKind.String }:
                prompts.Add(new RawPrompt(request.Text("prompt", Limits.ContentCharsMax, 1), null));
                break;
            case { ValueKind: JsonValueKind.Array } array
                when array.GetArrayLength() > 0 && array[0].ValueKind == JsonValueKind.Number:
                prompts.Add(new RawPrompt(null, Tokens(array, "prompt", request.Faults, vocabulary)));
                break;
            case { ValueKind: JsonValueKind.Array }:
                foreach (var (value, path) in request.Items("prompt", Limits.PromptsMax))
                {
                    prompts.Add(value.ValueKind == JsonValueKind.Array
                        ? new RawPrompt(null, Tokens(value, path, request.Faults, vocabulary))
                        : new RawPrompt(Fields.TextOf(value, path, request.Faults, Limits.ContentCharsMax, 1), null));
                }
                break;
        }
        if (prompts.Count == 0)
        {
            request.Fail("prompt", "must be a string, an array of token ids, or an array of either.");
        }
        return prompts;
    }

    /// <summary>Token ids, each below the vocabulary's size; at least one.</summary>
    public static List<int> Tokens(JsonElement array, string path, Faults faults, int vocabulary)
    {
        var tokens = new List<int>();
        foreach (var (value, at) in Fields.ItemsOf(array, path, faults, Limits.PromptTokensMax))
        {
            if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt32(out var token) || token < 0 || token >= vocabulary)
            {
                faults.Add(at, $"is not a token id below {vocabulary}.");
                return tokens;
            }
            tokens.Add(token);
        }
        if (tokens.Count == 0)
        {
            faults.Add(path, "must have at least one token.");
        }
        return tokens;
    }
}
