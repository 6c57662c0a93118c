using System.Text;

namespace Hearth.Text.Templates;

/// <summary>Writes the text of a container: one piece, user data as soon as one string in it holds user data.</summary>
sealed class DataWriter(Run run)
{
    readonly StringBuilder _text = new();
    bool _isTemplate = true;

    public Run Run { get; } = run;

    /// <summary>Takes note of a string whose characters are about to be written.</summary>
    public void See(StrValue value)
    {
        Run.SpendText(value.Text.Length);
        _isTemplate &= value.IsTemplate;
    }

    public void Write(char c) => _text.Append(c);

    public void Write(ReadOnlySpan<char> text)
    {
        Run.SpendText(text.Length);
        _text.Append(text);
    }

    public StrValue ToStr() => _isTemplate ? StrValue.Template(_text.ToString()) : StrValue.Data(_text.ToString());
}
