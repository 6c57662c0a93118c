using System.Globalization;

namespace Hearth.Text.Tokenizers;

/// <summary>
/// Canonical decompositions and combining classes (Unicode Character Database). The runtime's own normalization does nothing
/// under invariant globalization, so the tables come along.
/// </summary>
sealed class UnicodeData
{
    internal static readonly UnicodeData Instance = new();

    readonly Dictionary<int, (int First, int Second)> _decompositions = [];
    readonly Dictionary<(int First, int Second), int> _compositions = [];
    readonly Dictionary<int, byte> _combiningClasses = [];

    /// <summary>One bit for each code point that composed text may not hold, or that may join what is before it.</summary>
    readonly ulong[] _unsettled = new ulong[0x110000 / 64];

    UnicodeData()
    {
        using var stream = typeof(UnicodeData).Assembly.GetManifestResourceStream("UnicodeForms.txt")!;
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
        {
            var parts = line.Split(' ');
            if (parts[0] == "c")
            {
                AddClass(Hex(parts[1]), Hex(parts[2]), byte.Parse(parts[3], CultureInfo.InvariantCulture));
            }
            else if (parts[0] is "d" or "x")
            {
                AddDecomposition(Hex(parts[1]), Hex(parts[2]), parts.Length > 3 ? Hex(parts[3]) : 0, composes: parts[0] == "d");
            }
        }

        for (var jamo = Hangul.VowelBase; jamo < Hangul.TrailEnd; jamo++)
        {
            Mark(jamo);
        }
    }

    /// <summary>Second is 0 where the code point decomposes to one other.</summary>
    internal bool TryDecompose(int codePoint, out (int First, int Second) parts)
        => _decompositions.TryGetValue(codePoint, out parts);

    internal bool TryCompose(int first, int second, out int composed) => _compositions.TryGetValue((first, second), out composed);

    internal int CombiningClass(int codePoint)
        => codePoint < 0x300 ? 0 : _combiningClasses.TryGetValue(codePoint, out var value) ? value : 0;

    internal bool IsUnsettled(int codePoint) => (_unsettled[codePoint >> 6] >> (codePoint & 63) & 1) != 0;

    void AddClass(int first, int last, byte value)
    {
        for (var codePoint = first; codePoint <= last; codePoint++)
        {
            _combiningClasses.Add(codePoint, value);
            Mark(codePoint);
        }
    }

    void AddDecomposition(int codePoint, int first, int second, bool composes)
    {
        _decompositions.Add(codePoint, (first, second));
        if (composes)
        {
            _compositions.Add((first, second), codePoint);
            Mark(second);
        }
        else
        {
            Mark(codePoint);
        }
    }

    void Mark(int codePoint) => _unsettled[codePoint >> 6] |= 1UL << (codePoint & 63);

    static int Hex(string text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}

/// <summary>Korean syllables, which compose by arithmetic (Unicode Standard, 3.12).</summary>
static class Hangul
{
    internal const int LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7, SyllableBase = 0xAC00;
    internal const int LeadCount = 19, VowelCount = 21, TrailCount = 28, SyllableCount = LeadCount * VowelCount * TrailCount;
    internal const int TrailEnd = TrailBase + TrailCount;

    internal static bool TryCompose(int first, int second, out int composed)
    {
        int lead = first - LeadBase, vowel = second - VowelBase, syllable = first - SyllableBase, trail = second - TrailBase;
        if ((uint)lead < LeadCount && (uint)vowel < VowelCount)
        {
            composed = SyllableBase + ((lead * VowelCount) + vowel) * TrailCount;
            return true;
        }

        composed = first + trail;
        return (uint)syllable < SyllableCount && syllable % TrailCount == 0 && trail is > 0 and < TrailCount;
    }
}
