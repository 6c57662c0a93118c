using System.Globalization;
using System.Text.Json;
using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary>The fields that chat and plain completions share: how the reply is made, when it ends, how it is sent.</summary>
static class GenerationFields
{
    public static GenerationOptions Read(Fields request, int vocabulary) => new()
    {
        Sampling = Sampling(request, vocabulary),
        MaxTokens = (int?)(request.Integer("max_completion_tokens", 1, Limits.TokensMax)
            ?? request.Integer("max_tokens", 1, Limits.TokensMax)),
        Stop = Stop(request),
        IgnoreEos = request.Flag("ignore_eos") ?? false,
        Cache = Cache(request),
        Choices = (int)(request.Integer("n", 1, Limits.ChoicesMax) ?? 1),
    };

    public static Delivery ReadDelivery(Fields request)
    {
        var options = request.Object("stream_options");
        return new Delivery(request.Flag("stream") ?? false, options?.Flag("include_usage") ?? false,
            options?.Flag("include_obfuscation") ?? false);
    }

    /// <summary>The model by its name; the fault is kept if there is none, or if none has been loaded yet.</summary>
    public static ModelCard? Model(Fields request, IReadOnlyList<ModelCard> models, bool required = true)
    {
        if (models.Count == 0)
        {
            request.Faults.Add("", "The model is being loaded.", TurnError.ModelLoading);
            return null;
        }
        if (!request.Has("model"))
        {
            if (required)
            {
                request.Fail("model", "is needed.");
            }
            return models[0];
        }
        if (request.Text("model", Limits.ModelNameMax) is not { } name)
        {
            return null;
        }
        var model = models.FirstOrDefault(m => m.Name == name);
        if (model is null)
        {
            request.Faults.Add("model", $"'{name}' is not served here; GET /v1/models lists what is.", TurnError.ModelNotFound);
        }
        return model;
    }

    static CacheKind Cache(Fields request)
    {
        if (request.Flag("use_cache") == false)
        {
            return CacheKind.None;
        }
        switch (request.Text("cache", Limits.CacheKindMax))
        {
            case null: return CacheKind.Default;
            case "dynamic": return CacheKind.Dynamic;
            case "static": return CacheKind.Static;
            case "sliding": return CacheKind.Sliding;
            case "offloaded": return CacheKind.Offloaded;
            default:
                request.Fail("cache", "is dynamic, static, sliding or offloaded.");
                return CacheKind.Default;
        }
    }

    static SamplingOptions Sampling(Fields request, int vocabulary) => new()
    {
        Temperature = request.Number("temperature", 0, 2) ?? 1,
        TopP = Math.Max(request.Number("top_p", 0, 1) ?? 1, float.Epsilon),
        TopK = (int)Math.Max(0, request.Integer("top_k", -1, Limits.TopKMax) ?? 0),
        MinP = request.Number("min_p", 0, 1) ?? 0,
        RepetitionPenalty = request.Number("repetition_penalty", 0.01f, 10) ?? 1,
        FrequencyPenalty = request.Number("frequency_penalty", -2, 2) ?? 0,
        PresencePenalty = request.Number("presence_penalty", -2, 2) ?? 0,
        LogitBias = LogitBias(request, vocabulary),
        Seed = request.Integer("seed", long.MinValue, long.MaxValue),
    };

    static List<string> Stop(Fields request)
    {
        var texts = new List<string>();
        if (request.Get("stop") is { ValueKind: JsonValueKind.String })
        {
            texts.Add(request.Text("stop", Limits.StopCharsMax, 1) ?? "");
            return texts;
        }
        foreach (var (value, path) in request.Items("stop", Limits.StopTextsMax))
        {
            texts.Add(Fields.TextOf(value, path, request.Faults, Limits.StopCharsMax, 1) ?? "");
        }
        return texts;
    }

    static Dictionary<int, float>? LogitBias(Fields request, int vocabulary)
    {
        Dictionary<int, float>? biases = null;
        foreach (var entry in request.Properties("logit_bias", Limits.LogitBiasMax))
        {
            var path = FieldPath.Join(request.PathOf("logit_bias"), entry.Name);
            if (!int.TryParse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var token) || token >= vocabulary)
            {
                request.Faults.Add(path, $"is not a token id below {vocabulary}.");
                return null;
            }
            biases ??= [];
            biases[token] = Fields.NumberOf(entry.Value, path, request.Faults, -100, 100) ?? 0;
        }
        return biases;
    }
}

/// <summary>How a reply is sent.</summary>
sealed record Delivery(bool Stream, bool IncludeUsage, bool Obfuscate);
