using System.Globalization;

namespace Hearth.Text.Tokenizers;

/// <summary>
/// Decompositions and combining classes (Unicode Character Database). The runtime's own normalization does nothing under
/// invariant globalization, so the tables come along.
/// </summary>
sealed class UnicodeData
{
    internal static readonly UnicodeData Instance = new();

    readonly Dictionary<int, int[]> _canonical = [];
    readonly Dictionary<int, int[]> _compatible = [];
    readonly Dictionary<(int First, int Second), int> _compositions = [];
    readonly Dictionary<int, byte> _combiningClasses = [];

    /// <summary>By form, one bit for each code point that no such text holds, or that may join what is before it.</summary>
    readonly ulong[][] _unsettled = [.. Enumerable.Range(0, 4).Select(_ => new ulong[0x110000 / 64])];

    UnicodeData()
    {
        using var stream = typeof(UnicodeData).Assembly.GetManifestResourceStream("UnicodeForms.txt")!;
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
        {
            var parts = line.Split(' ');
            switch (parts[0])
            {
                case "c":
                    AddClass(Hex(parts[1]), Hex(parts[2]), byte.Parse(parts[3], CultureInfo.InvariantCulture));
                    break;
                case "d" or "x":
                    AddCanonical(Hex(parts[1]), [.. parts.Skip(2).Select(Hex)], composes: parts[0] == "d");
                    break;
                case "k":
                    _compatible.Add(Hex(parts[1]), [.. parts.Skip(2).Select(Hex)]);
                    Mark(Hex(parts[1]), UnicodeForm.Nfkc, UnicodeForm.Nfkd);
                    break;
            }
        }

        MarkCompatibleParts();
        for (var jamo = Hangul.VowelBase; jamo < Hangul.TrailEnd; jamo++)
        {
            Mark(jamo, UnicodeForm.Nfc, UnicodeForm.Nfkc);
        }

        for (var syllable = Hangul.SyllableBase; Hangul.IsSyllable(syllable); syllable++)
        {
            Mark(syllable, UnicodeForm.Nfd, UnicodeForm.Nfkd);
        }
    }

    /// <summary>Where a canonical part has a compatible one, the whole is changed by the compatible forms.</summary>
    void MarkCompatibleParts()
    {
        foreach (var codePoint in _canonical.Keys.Where(HasCompatiblePart))
        {
            Mark(codePoint, UnicodeForm.Nfkc);
        }

        bool HasCompatiblePart(int codePoint) => _compatible.ContainsKey(codePoint)
            || (_canonical.TryGetValue(codePoint, out var parts) && parts.Any(HasCompatiblePart));
    }

    /// <summary>What the code point consists of, to be taken apart further; null where it stands for itself.</summary>
    internal int[]? PartsOf(int codePoint, bool compatible)
        => _canonical.TryGetValue(codePoint, out var parts) || (compatible && _compatible.TryGetValue(codePoint, out parts))
            ? parts : null;

    internal bool TryCompose(int first, int second, out int composed) => _compositions.TryGetValue((first, second), out composed);

    internal int CombiningClass(int codePoint)
        => codePoint < 0x300 ? 0 : _combiningClasses.TryGetValue(codePoint, out var value) ? value : 0;

    internal bool IsUnsettled(int codePoint, UnicodeForm form)
        => (_unsettled[(int)form][codePoint >> 6] >> (codePoint & 63) & 1) != 0;

    void AddClass(int first, int last, byte value)
    {
        for (var codePoint = first; codePoint <= last; codePoint++)
        {
            _combiningClasses.Add(codePoint, value);
            Mark(codePoint, UnicodeForm.Nfc, UnicodeForm.Nfd, UnicodeForm.Nfkc, UnicodeForm.Nfkd);
        }
    }

    void AddCanonical(int codePoint, int[] parts, bool composes)
    {
        _canonical.Add(codePoint, parts);
        Mark(codePoint, UnicodeForm.Nfd, UnicodeForm.Nfkd);
        if (composes)
        {
            _compositions.Add((parts[0], parts[1]), codePoint);
            Mark(parts[1], UnicodeForm.Nfc, UnicodeForm.Nfkc);
        }
        else
        {
            Mark(codePoint, UnicodeForm.Nfc, UnicodeForm.Nfkc);
        }
    }

    void Mark(int codePoint, params ReadOnlySpan<UnicodeForm> forms)
    {
        foreach (var form in forms)
        {
            _unsettled[(int)form][codePoint >> 6] |= 1UL << (codePoint & 63);
        }
    }

    static int Hex(string text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
