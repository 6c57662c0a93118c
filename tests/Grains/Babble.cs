using Hearth.Contracts;
using Hearth.Text;

namespace Hearth.Grains.Tests;

/// <summary>Replies that are a function of prompt and seed, as an engine's are, full of what is easily cut wrongly: code points of
/// several tokens, and beginnings of stop strings.</summary>
sealed class Babble(Tokenizer tokenizer, int end, int length)
{
    static readonly string[] Words = ["hello", " world", "\U0001F525", "é", "漢", "S", "ST", "STO", "\n", " the", "x"];

    readonly int[][] _words = [.. Words.Select(w => tokenizer.EncodePlain(w, false))];

    public IEnumerable<int> Reply(TokenRequest request)
    {
        var seed = request.Sampling.Temperature == 0 ? 0 : request.Sampling.Seed ?? 0;
        var state = (uint)seed * 2654435761;
        foreach (var token in request.Prompt.ToArray())
            state = (state ^ (uint)token) * 16777619;
        return [.. Enumerable.Range(0, length).SelectMany(_ => _words[(state = state * 1664525 + 1013904223) >> 8 & 15 % _words.Length]), end];
    }
}
