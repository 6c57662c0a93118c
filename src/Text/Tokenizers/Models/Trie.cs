namespace Hearth.Text.Tokenizers;

/// <summary>
/// Strings with a value each, for finding those that a text begins with. The children of a node lie side by side, sorted, and
/// nodes are numbered level by level: two arrays hold the whole tree.
/// </summary>
sealed class Trie
{
    internal const int None = -1;
    internal const int Root = 0;
    const int ScannedMax = 32;
    readonly List<char> _labels = ['\0'];
    readonly List<int> _values = [None];

    /// <summary>Node n has the children [_firstChild[n], _firstChild[n + 1]).</summary>
    readonly int[] _firstChild;
    readonly char[] _label;
    readonly int[] _value;
    readonly int[] _asciiChildOfRoot = new int[128];

    /// <param name="entries">No string may come twice; the empty one is left out.</param>
    internal Trie(IEnumerable<KeyValuePair<string, int>> entries)
    {
        var sorted = entries.Where(entry => entry.Key.Length > 0).ToArray();
        Array.Sort(sorted, (a, b) => string.CompareOrdinal(a.Key, b.Key));
        _firstChild = Build(sorted);
        _label = [.. _labels];
        _value = [.. _values];
        _labels.Clear();
        _values.Clear();
        for (var c = '\0'; c < _asciiChildOfRoot.Length; c++)
        {
            _asciiChildOfRoot[c] = Search(Root, c);
        }
    }

    /// <summary>The node that the character leads to, or <see cref="None"/>.</summary>
    internal int Child(int node, char label)
        => node == Root && label < _asciiChildOfRoot.Length ? _asciiChildOfRoot[label] : Search(node, label);

    /// <summary>The value of the string that ends in the node, or <see cref="None"/>.</summary>
    internal int ValueOf(int node) => _value[node];

    /// <summary>The value of the longest string that the text begins with, or <see cref="None"/>.</summary>
    internal int Longest(ReadOnlySpan<char> text, out int length)
    {
        var value = None;
        length = 0;
        var node = Root;
        for (var i = 0; i < text.Length && (node = Child(node, text[i])) != None; i++)
        {
            if (_value[node] != None)
            {
                value = _value[node];
                length = i + 1;
            }
        }

        return value;
    }

    int Search(int node, char label)
    {
        var first = _firstChild[node];
        var labels = _label.AsSpan(first, _firstChild[node + 1] - first);
        var at = labels.Length <= ScannedMax ? labels.IndexOf(label) : labels.BinarySearch(label);
        return at < 0 ? None : first + at;
    }

    int[] Build(KeyValuePair<string, int>[] sorted)
    {
        var firstChild = new List<int>();
        var ranges = new Queue<(int Start, int End, int Depth)>([(0, sorted.Length, 0)]);
        while (ranges.TryDequeue(out var range))
        {
            firstChild.Add(_labels.Count);
            for (var start = range.Start; start < range.End;)
            {
                var label = sorted[start].Key[range.Depth];
                var end = start + 1;
                while (end < range.End && sorted[end].Key[range.Depth] == label)
                {
                    end++;
                }

                var isWhole = sorted[start].Key.Length == range.Depth + 1;
                _labels.Add(label);
                _values.Add(isWhole ? sorted[start].Value : None);
                ranges.Enqueue((isWhole ? start + 1 : start, end, range.Depth + 1));
                start = end;
            }
        }

        firstChild.Add(_labels.Count);
        return [.. firstChild];
    }
}
