using System.Collections.Frozen;
using System.Globalization;

namespace Hearth.Text.Templates;

/// <summary>What Python's str says of characters, where .NET's invariant mode says something else or nothing.</summary>
static class Characters
{
    // Unicode's SpecialCasing: letters whose upper case is more than one letter. Each entry is the letter, then its upper case.
    const string SpecialUpper =
        "\u00dfSS;\u0149\u02bcN;\u01f0J\u030c;\u0390\u0399\u0308\u0301;\u03b0\u03a5\u0308\u0301;\u0587\u0535\u0552;"
        + "\u1e96H\u0331;\u1e97T\u0308;\u1e98W\u030a;\u1e99Y\u030a;\u1e9aA\u02be;\u1f50\u03a5\u0313;"
        + "\u1f52\u03a5\u0313\u0300;\u1f54\u03a5\u0313\u0301;\u1f56\u03a5\u0313\u0342;\u1f80\u1f08\u0399;"
        + "\u1f81\u1f09\u0399;\u1f82\u1f0a\u0399;\u1f83\u1f0b\u0399;\u1f84\u1f0c\u0399;\u1f85\u1f0d\u0399;"
        + "\u1f86\u1f0e\u0399;\u1f87\u1f0f\u0399;\u1f88\u1f08\u0399;\u1f89\u1f09\u0399;\u1f8a\u1f0a\u0399;"
        + "\u1f8b\u1f0b\u0399;\u1f8c\u1f0c\u0399;\u1f8d\u1f0d\u0399;\u1f8e\u1f0e\u0399;\u1f8f\u1f0f\u0399;"
        + "\u1f90\u1f28\u0399;\u1f91\u1f29\u0399;\u1f92\u1f2a\u0399;\u1f93\u1f2b\u0399;\u1f94\u1f2c\u0399;"
        + "\u1f95\u1f2d\u0399;\u1f96\u1f2e\u0399;\u1f97\u1f2f\u0399;\u1f98\u1f28\u0399;\u1f99\u1f29\u0399;"
        + "\u1f9a\u1f2a\u0399;\u1f9b\u1f2b\u0399;\u1f9c\u1f2c\u0399;\u1f9d\u1f2d\u0399;\u1f9e\u1f2e\u0399;"
        + "\u1f9f\u1f2f\u0399;\u1fa0\u1f68\u0399;\u1fa1\u1f69\u0399;\u1fa2\u1f6a\u0399;\u1fa3\u1f6b\u0399;"
        + "\u1fa4\u1f6c\u0399;\u1fa5\u1f6d\u0399;\u1fa6\u1f6e\u0399;\u1fa7\u1f6f\u0399;\u1fa8\u1f68\u0399;"
        + "\u1fa9\u1f69\u0399;\u1faa\u1f6a\u0399;\u1fab\u1f6b\u0399;\u1fac\u1f6c\u0399;\u1fad\u1f6d\u0399;"
        + "\u1fae\u1f6e\u0399;\u1faf\u1f6f\u0399;\u1fb2\u1fba\u0399;\u1fb3\u0391\u0399;\u1fb4\u0386\u0399;"
        + "\u1fb6\u0391\u0342;\u1fb7\u0391\u0342\u0399;\u1fbc\u0391\u0399;\u1fc2\u1fca\u0399;\u1fc3\u0397\u0399;"
        + "\u1fc4\u0389\u0399;\u1fc6\u0397\u0342;\u1fc7\u0397\u0342\u0399;\u1fcc\u0397\u0399;\u1fd2\u0399\u0308\u0300;"
        + "\u1fd3\u0399\u0308\u0301;\u1fd6\u0399\u0342;\u1fd7\u0399\u0308\u0342;\u1fe2\u03a5\u0308\u0300;"
        + "\u1fe3\u03a5\u0308\u0301;\u1fe4\u03a1\u0313;\u1fe6\u03a5\u0342;\u1fe7\u03a5\u0308\u0342;\u1ff2\u1ffa\u0399;"
        + "\u1ff3\u03a9\u0399;\u1ff4\u038f\u0399;\u1ff6\u03a9\u0342;\u1ff7\u03a9\u0342\u0399;\u1ffc\u03a9\u0399;\ufb00FF;"
        + "\ufb01FI;\ufb02FL;\ufb03FFI;\ufb04FFL;\ufb05ST;\ufb06ST;\ufb13\u0544\u0546;\ufb14\u0544\u0535;"
        + "\ufb15\u0544\u053b;\ufb16\u054e\u0546;\ufb17\u0544\u053d";

    static readonly FrozenDictionary<char, string> s_specialUpper =
        SpecialUpper.Split(';').ToFrozenDictionary(entry => entry[0], entry => entry[1..]);

    /// <summary>str.isspace(): .NET's white space and the four ASCII separators.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    public static bool IsLineBreak(char c) =>
        c is '\n' or '\r' or '\v' or '\f' or (>= '\x1c' and <= '\x1e') or '\x85' or '\u2028' or '\u2029';

    /// <summary>Printed as it is by repr(); everything else is escaped.</summary>
    public static bool IsPrintable(string text, int index) =>
        text[index] == ' ' || CharUnicodeInfo.GetUnicodeCategory(text, index) is not (
            UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
            or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.SpaceSeparator);

    /// <summary>Upper case, lower case or titled first letter; every letter keeps its kind.</summary>
    public static StrValue Map(Run run, StrValue value, Func<string, int, string> map)
    {
        var text = value.Text;
        var result = new StrBuilder(run);
        for (var i = 0; i < text.Length;)
        {
            var width = StrValue.Width(text, i);
            result.Append(map(text, i), value.IsTemplateAt(i));
            i += width;
        }
        return result.ToStr();
    }

    public static StrValue Upper(Run run, StrValue value) => Map(run, value, Upper);

    public static StrValue Lower(Run run, StrValue value) => Map(run, value, Lower);

    public static string Upper(string text, int index) =>
        s_specialUpper.TryGetValue(text[index], out var special)
            ? special
            : text.Substring(index, StrValue.Width(text, index)).ToUpperInvariant();

    public static string Lower(string text, int index) => text[index] switch
    {
        '\u0130' => "i\u0307",
        '\u03a3' when EndsWord(text, index) => "\u03c2",
        _ => text.Substring(index, StrValue.Width(text, index)).ToLowerInvariant(),
    };

    /// <summary>Title case of one letter: digraphs have their own, ligatures come apart as "Fi".</summary>
    public static string Title(string text, int index) => text[index] switch
    {
        >= '\u01c4' and <= '\u01c6' => "\u01c5",
        >= '\u01c7' and <= '\u01c9' => "\u01c8",
        >= '\u01ca' and <= '\u01cc' => "\u01cb",
        >= '\u01f1' and <= '\u01f3' => "\u01f2",
        _ when s_specialUpper.TryGetValue(text[index], out var special) => special[..1] + special[1..].ToLowerInvariant(),
        _ => Upper(text, index),
    };

    public static bool IsCased(string text, int index) => CharUnicodeInfo.GetUnicodeCategory(text, index)
        is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter;

    static bool EndsWord(string text, int index) =>
        index > 0 && char.IsLetter(text[index - 1]) && (index + 1 == text.Length || !char.IsLetter(text[index + 1]));
}
