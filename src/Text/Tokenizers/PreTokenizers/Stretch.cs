using System.Text;

namespace Hearth.Text.Tokenizers;

/// <summary>Part [Start, End) of a text.</summary>
readonly record struct Cut(int Start, int End)
{
    internal int Length => End - Start;
}

/// <summary>A normalized text between added tokens on its way to the model, and the pieces it has been cut into so far.</summary>
sealed class Stretch
{
    internal Stretch(string text, bool isAtStart)
    {
        Text = text;
        IsAtStart = isAtStart;
        Cuts = text.Length == 0 ? [] : [new(0, text.Length)];
    }

    internal string Text { get; private set; }

    /// <summary>Whether the stretch begins the whole text.</summary>
    internal bool IsAtStart { get; }

    internal List<Cut> Cuts { get; private set; }

    internal ReadOnlySpan<char> this[Cut cut] => Text.AsSpan(cut.Start, cut.Length);

    internal void Recut(List<Cut> cuts) => Cuts = cuts;

    /// <summary>Replaces every piece by what the writer appends for it; empty pieces vanish.</summary>
    internal void Rewrite(Action<Cut, StringBuilder> writer)
    {
        var output = new StringBuilder(Text.Length + 16);
        var cuts = new List<Cut>(Cuts.Count);
        foreach (var cut in Cuts)
        {
            var start = output.Length;
            writer(cut, output);
            if (output.Length > start)
            {
                cuts.Add(new(start, output.Length));
            }
        }

        Text = output.ToString();
        Cuts = cuts;
    }
}
