namespace Hearth.Text.Templates;

/// <summary>The source with its line breaks made '\n' and one trailing break dropped, as jinja2 does.</summary>
sealed class SourceText
{
    readonly int[] _lineStarts;

    public SourceText(string source, string name)
    {
        Name = name;
        Text = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        if (Text.EndsWith('\n'))
            Text = Text[..^1];
        var starts = new List<int> { 0 };
        for (var at = Text.IndexOf('\n'); at >= 0; at = Text.IndexOf('\n', at + 1))
            starts.Add(at + 1);
        _lineStarts = [.. starts];
    }

    public string Name { get; }

    public string Text { get; }

    public int Line(int position)
    {
        var found = Array.BinarySearch(_lineStarts, position);
        return found >= 0 ? found + 1 : ~found;
    }

    public TemplateException Error(string reason, int position, TemplateErrorKind kind = TemplateErrorKind.Syntax)
    {
        var line = Line(position);
        return new TemplateException(kind, reason, Name, line, position - _lineStarts[line - 1] + 1);
    }
}
