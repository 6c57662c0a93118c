using System.Text;
using Hearth.Cli.Client;

namespace Hearth.Cli.Bench;

/// <summary>Makes user messages of a wanted number of tokens; every one differs, so that no cache of another one helps.</summary>
sealed class PromptText
{
    static readonly string[] _words =
    [
        "river", "table", "seven", "green", "winter", "paper", "market", "garden", "north", "copper", "early", "window", "bridge",
        "story", "music", "silver", "yellow", "morning", "letter", "forest", "number", "island", "simple", "travel", "summer",
    ];

    readonly Random _random;
    readonly double _tokensPerWord;

    PromptText(double tokensPerWord, int seed)
    {
        _tokensPerWord = tokensPerWord;
        _random = new Random(seed);
    }

    /// <summary>Measures the model's tokens per word where the server can count, and assumes 1.3 elsewhere.</summary>
    public static async Task<PromptText> CalibrateAsync(
        ChatClient client, string model, int seed, CancellationToken cancellationToken)
    {
        const int sampleWords = 400;
        var sample = new PromptText(1, seed).OfTokens(sampleWords);
        var tokens = await client.CountTokensAsync(model, sample, cancellationToken);
        return new PromptText(tokens is { } count ? (double)count / sampleWords : 1.3, seed + 1);
    }

    public string OfTokens(int tokens)
    {
        var words = Math.Max(1, (int)Math.Round(tokens / _tokensPerWord));
        var text = new StringBuilder();
        for (var i = 0; i < words; i++)
            text.Append(i == 0 ? "" : " ").Append(_words[_random.Next(_words.Length)]);
        return text.ToString();
    }
}
