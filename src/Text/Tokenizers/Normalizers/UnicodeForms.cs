using System.Text;

namespace Hearth.Text.Tokenizers;

/// <summary>The forms of Unicode normalization (UAX #15).</summary>
enum UnicodeForm
{
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
}

/// <summary>Unicode normalization (UAX #15): decomposed, ordered, and for the composed forms composed again.</summary>
static class UnicodeForms
{
    internal static string Normalize(string text, UnicodeForm form)
    {
        if (IsSettled(text, form))
        {
            return text;
        }

        var codePoints = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            Decompose(rune.Value, form is UnicodeForm.Nfkc or UnicodeForm.Nfkd, codePoints);
        }

        Order(codePoints);
        if (form is UnicodeForm.Nfc or UnicodeForm.Nfkc)
        {
            Recompose(codePoints);
        }

        var output = new StringBuilder(text.Length);
        foreach (var codePoint in codePoints)
        {
            output.Append(new Rune(codePoint));
        }

        return output.ToString();
    }

    static bool IsSettled(string text, UnicodeForm form)
    {
        // Below U+00A0 nothing changes in any form, below U+0300 nothing in form C.
        var start = text.AsSpan().IndexOfAnyExceptInRange('\0', form == UnicodeForm.Nfc ? '\u02FF' : '\u009F');
        if (start < 0)
        {
            return true;
        }

        foreach (var rune in text.AsSpan(start).EnumerateRunes())
        {
            if (UnicodeData.Instance.IsUnsettled(rune.Value, form))
            {
                return false;
            }
        }

        return true;
    }

    static void Decompose(int codePoint, bool compatible, List<int> output)
    {
        if (Hangul.IsSyllable(codePoint))
        {
            Hangul.Decompose(codePoint, output);
        }
        else if (codePoint >= 0xA0 && UnicodeData.Instance.PartsOf(codePoint, compatible) is { } parts)
        {
            foreach (var part in parts)
            {
                Decompose(part, compatible, output);
            }
        }
        else
        {
            output.Add(codePoint);
        }
    }

    /// <summary>Sorts every run of combining marks by class, marks of one class in the order they came.</summary>
    static void Order(List<int> codePoints)
    {
        for (var start = 0; start < codePoints.Count; start++)
        {
            var end = start;
            while (end < codePoints.Count && UnicodeData.Instance.CombiningClass(codePoints[end]) != 0)
            {
                end++;
            }

            if (end - start > 1)
            {
                var run = codePoints.GetRange(start, end - start).OrderBy(UnicodeData.Instance.CombiningClass).ToList();
                for (var i = 0; i < run.Count; i++)
                {
                    codePoints[start + i] = run[i];
                }
            }

            start = end;
        }
    }

    static void Recompose(List<int> codePoints)
    {
        int count = 0, starter = -1, lastClass = 0;
        for (var i = 0; i < codePoints.Count; i++)
        {
            var codePoint = codePoints[i];
            var combiningClass = UnicodeData.Instance.CombiningClass(codePoint);
            var reachesStarter = starter >= 0 && (count == starter + 1 || (lastClass != 0 && lastClass < combiningClass));
            if (reachesStarter && TryCompose(codePoints[starter], codePoint, out var composed))
            {
                codePoints[starter] = composed;
                continue;
            }

            if (combiningClass == 0)
            {
                starter = count;
            }

            lastClass = combiningClass;
            codePoints[count++] = codePoint;
        }

        codePoints.RemoveRange(count, codePoints.Count - count);
    }

    static bool TryCompose(int first, int second, out int composed)
        => Hangul.TryCompose(first, second, out composed) || UnicodeData.Instance.TryCompose(first, second, out composed);
}
