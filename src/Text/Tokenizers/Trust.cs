namespace Hearth.Text.Tokenizers;

/// <summary>Which parts of a text may hold control tokens.</summary>
sealed class Trust
{
    internal static readonly Trust Everywhere = new([(0, int.MaxValue)]);
    internal static readonly Trust Nowhere = new([]);
    readonly List<(int Start, int End)> _ranges;

    Trust(List<(int Start, int End)> ranges) => _ranges = ranges;

    internal static Trust Of(IReadOnlyList<TextSegment> segments)
    {
        var ranges = new List<(int Start, int End)>();
        var start = 0;
        foreach (var (text, isTemplate) in segments)
        {
            var end = start + text.Length;
            if (isTemplate && ranges.Count > 0 && ranges[^1].End == start)
            {
                ranges[^1] = (ranges[^1].Start, end);
            }
            else if (isTemplate && end > start)
            {
                ranges.Add((start, end));
            }

            start = end;
        }

        return ranges.Count == 1 && ranges[0] == (0, start) ? Everywhere : new(ranges);
    }

    /// <summary>Whether the whole of [start, end) lies in one trusted range.</summary>
    internal bool Covers(int start, int end)
    {
        int low = 0, high = _ranges.Count - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (_ranges[middle].End <= start)
            {
                low = middle + 1;
            }
            else if (_ranges[middle].Start > start)
            {
                high = middle - 1;
            }
            else
            {
                return end <= _ranges[middle].End;
            }
        }

        return false;
    }
}
