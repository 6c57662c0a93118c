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
        "Lowercase" => new LowercaseNormalizer(),
        "Strip" => new StripNormalizer(field["strip_left"].Flag(), field["strip_right"].Flag()),
        "NFC" => new ComposeNormalizer(),
        var type => throw field["type"].Error($"normalizer '{type}' is not supported yet"),
    };
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

sealed class LowercaseNormalizer : Normalizer
{
    // Capital I with dot is the one letter whose full lower case is longer than its simple one.
    internal override string Apply(string text)
        => text.ToLower(CultureInfo.InvariantCulture).Replace("\u0130", "i\u0307", StringComparison.Ordinal);
}

sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    internal override string Apply(string text)
    {
        var trimmed = left ? text.TrimStart() : text;
        return right ? trimmed.TrimEnd() : trimmed;
    }
}

sealed class ComposeNormalizer : Normalizer
{
    internal override string Apply(string text) => UnicodeForms.Compose(text);
}
