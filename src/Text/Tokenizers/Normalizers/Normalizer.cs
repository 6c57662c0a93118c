using System.Globalization;
using System.Text;

namespace Hearth.Text.Tokenizers;

/// <summary>One step that rewrites text before it is cut.</summary>
abstract class Normalizer
{
    internal abstract string Apply(string text);

    /// <summary>The steps of the file's <c>normalizer</c>, nested sequences laid flat.</summary>
    internal static List<Normalizer> ReadAll(JsonField field)
    {
        var steps = new List<Normalizer>();
        Steps.Flatten(field, "normalizers", item => steps.Add(Read(item)));
        return steps;
    }

    static Normalizer Read(JsonField field) => field["type"].Text() switch
    {
        "Prepend" => new PrependNormalizer(field["prepend"].Text()),
        "Replace" => new ReplaceNormalizer(field),
        "Lowercase" => new MapNormalizer(LowerCase),
        "Strip" => new StripNormalizer(field["strip_left"].Flag(), field["strip_right"].Flag()),
        "NFC" => new MapNormalizer(text => UnicodeForms.Normalize(text, UnicodeForm.Nfc)),
        "NFD" => new MapNormalizer(text => UnicodeForms.Normalize(text, UnicodeForm.Nfd)),
        "NFKC" => new MapNormalizer(text => UnicodeForms.Normalize(text, UnicodeForm.Nfkc)),
        "NFKD" => new MapNormalizer(text => UnicodeForms.Normalize(text, UnicodeForm.Nfkd)),
        "StripAccents" => new MapNormalizer(text => Runes.Without(text, IsMark)),
        "Nmt" => new MapNormalizer(NmtText.Clean),
        "ByteLevel" => new MapNormalizer(ByteAlphabet.Mapped),
        "BertNormalizer" => new BertNormalizer(field),
        "Precompiled" => new PrecompiledNormalizer(field["precompiled_charsmap"]),
        var type => throw field["type"].Error($"normalizer '{type}' is not supported"),
    };

    /// <summary>Capital I with dot is the one letter whose full lower case is longer than its simple one.</summary>
    internal static string LowerCase(string text)
        => text.ToLower(CultureInfo.InvariantCulture).Replace("\u0130", "i\u0307", StringComparison.Ordinal);

    static bool IsMark(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark
        or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
        && !OlderUnicode.NewMarks.Contains(rune.Value);
}

/// <summary>A step without settings.</summary>
sealed class MapNormalizer(Func<string, string> map) : Normalizer
{
    internal override string Apply(string text) => map(text);
}

sealed class PrependNormalizer(string prefix) : Normalizer
{
    internal override string Apply(string text) => text.Length == 0 ? text : prefix + text;
}

/// <summary>Puts <c>content</c> in the place of every match of <c>pattern</c>.</summary>
sealed class ReplaceNormalizer(JsonField field) : Normalizer
{
    readonly Matcher _matcher = Matcher.Read(field["pattern"]);
    readonly string _content = field["content"].Text();

    internal override string Apply(string text)
    {
        var matches = new List<Cut>();
        _matcher.Find(text, matches);
        if (matches.Count == 0)
        {
            return text;
        }

        if (text.Length + ((long)matches.Count * _content.Length) > Limits.Tokenizer.NormalizedCharactersMax)
        {
            throw field.Error($"makes this text longer than {Limits.Tokenizer.NormalizedCharactersMax} characters");
        }

        var output = new StringBuilder(text.Length);
        var position = 0;
        foreach (var match in matches)
        {
            output.Append(text, position, match.Start - position).Append(_content);
            position = match.End;
        }

        return output.Append(text, position, text.Length - position).ToString();
    }
}

sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    internal override string Apply(string text)
    {
        var trimmed = left ? text.TrimStart() : text;
        return right ? trimmed.TrimEnd() : trimmed;
    }
}

/// <summary>The cleaning of Google's neural machine translation, as in SentencePiece.</summary>
static class NmtText
{
    internal static string Clean(string text)
    {
        var output = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (c is (>= '\x01' and <= '\b') or '\v' or (>= '\x0E' and <= '\x1F') or '\x7F' or '\x8F' or '\x9F')
            {
                continue;
            }

            output.Append(c is '\t' or '\n' or '\f' or '\r' or '\u1680' or (>= '\u200B' and <= '\u200F') or '\u2028' or '\u2029'
                or '\u2581' or '\uFEFF' or '\uFFFD' ? ' ' : c);
        }

        return output.ToString();
    }
}

static class Runes
{
    /// <summary>The text without the code points that the test picks.</summary>
    internal static string Without(string text, Func<Rune, bool> isLeftOut)
    {
        if (text.AsSpan().IndexOfAnyExceptInRange('\0', '\x7F') < 0)
        {
            return text;
        }

        var output = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (!isLeftOut(rune))
            {
                output.Append(rune);
            }
        }

        return output.ToString();
    }
}
