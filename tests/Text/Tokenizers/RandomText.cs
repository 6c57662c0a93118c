using System.Text;

namespace Hearth.Text.Tests.Tokenizers;

/// <summary>Texts of many scripts from a seed.</summary>
sealed class RandomText(int seed)
{
    static readonly string[] Fragments =
    [
        "a", "Hello", " world", "the", "'s", "'LL", "I'm", " ", "  ", "\n", "\r\n", "\t", "12", "3456", ".", ",", "!?", "(x)",
        "=", "naïve", "e\u0301", "ß", "İ", "мир", "κόσμος", "你好", "日本語", "한국어", "שלום", "مرحبا", "नमस्ते", "ไทย", "½", "Ⅳ",
        "🎉", "👨\u200D👩\u200D👧", "🇫🇷", "𝔘𝔫𝔦", "𐐷", "𠀀", "\u00A0", "\u3000", "\u200B", "\uFEFF", "\0", "word", "def f(x):",
    ];

    readonly Random _random = new(seed);

    internal int Next(int max) => _random.Next(max);

    internal T Pick<T>(IReadOnlyList<T> items) => items[_random.Next(items.Count)];

    /// <summary>Harmless text, unless <paramref name="also"/> holds something else to mix in.</summary>
    internal string Text(int fragmentsMax, IReadOnlyList<string>? also = null)
    {
        var text = new StringBuilder();
        for (var count = _random.Next(fragmentsMax + 1); count > 0; count--)
        {
            text.Append(also is not null && _random.Next(3) == 0 ? Pick(also) : Pick(Fragments));
        }

        return text.ToString();
    }
}
