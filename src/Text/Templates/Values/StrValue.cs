namespace Hearth.Text.Templates;

/// <summary>
/// A string that knows which of its characters are template text and which are user data. Runs of the two kinds
/// alternate; the cuts are the UTF-16 positions where the kind flips. Python counts code points: so do
/// <see cref="Length"/>, indices and slices of the language; <see cref="Part"/> works on UTF-16 positions.
/// </summary>
sealed class StrValue : Value
{
    public static readonly StrValue Empty = Template("");

    readonly bool _startsAsTemplate;
    readonly int[] _cuts;
    int _codePoints = -1;

    internal StrValue(string text, bool startsAsTemplate, int[] cuts)
    {
        Text = text;
        _startsAsTemplate = startsAsTemplate;
        _cuts = cuts;
    }

    public string Text { get; }

    /// <summary>Markup, as <c>safe</c> and <c>escape</c> give it: what is added to it is escaped first.</summary>
    public bool IsMarkup { get; private init; }

    public override string TypeName => "str";

    public override bool IsTrue => Text.Length > 0;

    /// <summary>True when no character is user data.</summary>
    public bool IsTemplate => Text.Length == 0 || (_startsAsTemplate && _cuts.Length == 0);

    public override int? Length => CodePoints;

    public int CodePoints => _codePoints >= 0 ? _codePoints : _codePoints = CountCodePoints(Text);

    public bool HasSurrogatePairs => CodePoints != Text.Length;

    public static StrValue Template(string text) => new(text, startsAsTemplate: true, []);

    public static StrValue Data(string text) => new(text, startsAsTemplate: false, []);

    public StrValue AsPlain() => IsMarkup ? new(Text, _startsAsTemplate, _cuts) : this;

    public StrValue AsMarkup() => new(Text, _startsAsTemplate, _cuts) { IsMarkup = true };

    /// <summary>The text with its HTML signs escaped; markup stays as it is.</summary>
    public StrValue Escaped(Run run) => IsMarkup ? this : Characters.Map(run, this, static (text, i) => text[i] switch
    {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '\'' => "&#39;",
        '"' => "&#34;",
        _ => text.Substring(i, Width(text, i)),
    }).AsMarkup();

    /// <summary>Template text or user data at this UTF-16 position.</summary>
    public bool IsTemplateAt(int index)
    {
        if (_cuts.Length == 0)
            return _startsAsTemplate;
        var flips = Array.BinarySearch(_cuts, index);
        flips = flips >= 0 ? flips + 1 : ~flips;
        return _startsAsTemplate ^ ((flips & 1) == 1);
    }

    /// <summary>The end of the run that holds this UTF-16 position.</summary>
    public int RunEnd(int index)
    {
        if (_cuts.Length == 0)
            return Text.Length;
        var next = Array.BinarySearch(_cuts, index + 1);
        next = next >= 0 ? next : ~next;
        return next < _cuts.Length ? _cuts[next] : Text.Length;
    }

    /// <summary>The characters from one UTF-16 position to another, each of its own kind.</summary>
    public StrValue Part(int start, int end)
    {
        if (start >= end)
            return Empty;
        if (start == 0 && end == Text.Length)
            return this;
        var text = Text[start..end];
        if (_cuts.Length == 0)
            return new StrValue(text, _startsAsTemplate, _cuts);
        int[] cuts = [.. _cuts.Where(cut => cut > start && cut < end).Select(cut => cut - start)];
        return new StrValue(text, IsTemplateAt(start), cuts);
    }

    /// <summary>The UTF-16 position of a code point.</summary>
    public int Offset(int codePoint)
    {
        if (!HasSurrogatePairs)
            return Math.Min(codePoint, Text.Length);
        var offset = 0;
        for (; codePoint > 0 && offset < Text.Length; codePoint--)
            offset += Width(Text, offset);
        return offset;
    }

    /// <summary>The code point index of a UTF-16 position.</summary>
    public int Index(int offset) => HasSurrogatePairs ? CountCodePoints(Text.AsSpan(0, offset)) : offset;

    public override Value[] Iterate(Run run)
    {
        run.Spend(CodePoints);
        var characters = new Value[CodePoints];
        for (int i = 0, offset = 0; i < characters.Length; i++)
        {
            var width = Width(Text, offset);
            characters[i] = Part(offset, offset + width);
            offset += width;
        }
        return characters;
    }

    public override Value? Attribute(Run run, string name) => StringMethods.Table.Bind(this, name);

    public override Value? Element(Run run, Value key)
    {
        run.SpendText(Text.Length);
        if (!Operators.IsInt(key, out var index) || Operators.Position(index, CodePoints) is not int position)
            return null;
        var offset = Offset(position);
        return Part(offset, offset + Width(Text, offset));
    }

    /// <summary>UTF-16 units of the code point at this position; a lone surrogate counts as one.</summary>
    public static int Width(ReadOnlySpan<char> text, int offset) =>
        offset + 1 < text.Length && char.IsSurrogatePair(text[offset], text[offset + 1]) ? 2 : 1;

    static int CountCodePoints(ReadOnlySpan<char> text)
    {
        var count = text.Length;
        var at = text.IndexOfAnyInRange('\ud800', '\udbff');
        if (at < 0)
            return count;
        for (; at < text.Length; at++)
        {
            if (Width(text, at) == 2)
            {
                count--;
                at++;
            }
        }
        return count;
    }
}
