using System.Text;

namespace Hearth.Text.Templates;

/// <summary>Builds strings of template text and user data; every character costs fuel before it is stored.</summary>
sealed class StrBuilder(Run run)
{
    readonly StringBuilder _text = new();
    readonly List<int> _cuts = [];
    bool _startsAsTemplate = true;
    bool _isTemplate = true;

    public int Length => _text.Length;

    public StrBuilder Append(ReadOnlySpan<char> text, bool isTemplate)
    {
        if (text.IsEmpty)
            return this;
        run.SpendText(text.Length);
        if (_text.Length == 0)
            _startsAsTemplate = isTemplate;
        else if (isTemplate != _isTemplate)
            _cuts.Add(_text.Length);
        _isTemplate = isTemplate;
        _text.Append(text);
        return this;
    }

    public StrBuilder Append(StrValue value) => Append(value, 0, value.Text.Length);

    /// <summary>The characters between two UTF-16 positions, each of its own kind.</summary>
    public StrBuilder Append(StrValue value, int start, int end)
    {
        while (start < end)
        {
            var runEnd = Math.Min(end, value.RunEnd(start));
            Append(value.Text.AsSpan(start, runEnd - start), value.IsTemplateAt(start));
            start = runEnd;
        }
        return this;
    }

    public StrBuilder Append(StrValue value, int times)
    {
        run.SpendText((long)value.Text.Length * Math.Max(0, times));
        for (var i = 0; i < times; i++)
            Append(value);
        return this;
    }

    public StrValue ToStr() => _text.Length == 0 ? StrValue.Empty : new StrValue(_text.ToString(), _startsAsTemplate, [.. _cuts]);

    public IReadOnlyList<TextSegment> ToSegments()
    {
        if (_text.Length == 0)
            return [];
        var segments = new List<TextSegment>(_cuts.Count + 1);
        var start = 0;
        var isTemplate = _startsAsTemplate;
        foreach (var cut in _cuts)
        {
            segments.Add(new TextSegment(_text.ToString(start, cut - start), isTemplate));
            start = cut;
            isTemplate = !isTemplate;
        }
        segments.Add(new TextSegment(_text.ToString(start, _text.Length - start), isTemplate));
        return segments;
    }
}
