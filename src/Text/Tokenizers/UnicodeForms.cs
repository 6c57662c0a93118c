using System.Text;

namespace Hearth.Text.Tokenizers;

/// <summary>Unicode normalization (UAX #15), form C.</summary>
static class UnicodeForms
{
    /// <summary>The text in form C: canonically decomposed, ordered, and composed again.</summary>
    internal static string Compose(string text)
    {
        if (IsSettled(text))
        {
            return text;
        }

        var codePoints = Decompose(text);
        Order(codePoints);
        Recompose(codePoints);
        var output = new StringBuilder(text.Length);
        foreach (var codePoint in codePoints)
        {
            output.Append(new Rune(codePoint));
        }

        return output.ToString();
    }

    static bool IsSettled(string text)
    {
        if (text.AsSpan().IndexOfAnyExceptInRange('\0', '\u02FF') < 0)
        {
            return true;
        }

        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value >= 0x300 && UnicodeData.Instance.IsUnsettled(rune.Value))
            {
                return false;
            }
        }

        return true;
    }

    static List<int> Decompose(string text)
    {
        var output = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            Decompose(rune.Value, output);
        }

        return output;
    }

    static void Decompose(int codePoint, List<int> output)
    {
        if (codePoint >= 0xC0 && UnicodeData.Instance.TryDecompose(codePoint, out var parts))
        {
            Decompose(parts.First, output);
            if (parts.Second != 0)
            {
                output.Add(parts.Second);
            }
        }
        else
        {
            // Hangul syllables may stay: composing takes them apart nowhere, and their parts join them below.
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
