namespace Hearth.Text.Tokenizers;

/// <summary>Korean syllables, which come apart and compose by arithmetic (Unicode Standard, 3.12).</summary>
static class Hangul
{
    internal const int LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7, SyllableBase = 0xAC00;
    internal const int LeadCount = 19, VowelCount = 21, TrailCount = 28, SyllableCount = LeadCount * VowelCount * TrailCount;
    internal const int TrailEnd = TrailBase + TrailCount;

    internal static bool IsSyllable(int codePoint) => (uint)(codePoint - SyllableBase) < SyllableCount;

    internal static void Decompose(int syllable, List<int> output)
    {
        var index = syllable - SyllableBase;
        output.Add(LeadBase + index / (VowelCount * TrailCount));
        output.Add(VowelBase + index / TrailCount % VowelCount);
        if (index % TrailCount != 0)
        {
            output.Add(TrailBase + index % TrailCount);
        }
    }

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
