using System.Text;

namespace Hearth.Text;

/// <summary>
/// Ends a stream of text at the first stop string. Text that may begin one is held back, never more than the longest stop
/// string; the outcome does not depend on how the text was cut into pushes. For one sequence and one thread.
/// </summary>
/// <remarks>Matches with the automaton of Aho and Corasick (1975): constant work for each character.</remarks>
public sealed class StopStrings
{
    /// <summary>A beginning of a stop string: its first <paramref name="length"/> characters.</summary>
    sealed class Node(string source, int length)
    {
        internal readonly string Source = source;
        internal readonly int Length = length;
        internal readonly Dictionary<char, Node> Children = [];

        /// <summary>The node of its longest proper suffix that also begins a stop string.</summary>
        internal Node? Fallback;

        /// <summary>The longest stop string that it ends in.</summary>
        internal string? Stop;
    }

    readonly Node _root = new("", 0);
    Node _state;

    /// <exception cref="ArgumentException">A stop string is empty or too long, or there are too many.</exception>
    public StopStrings(IReadOnlyCollection<string> stops)
    {
        if (stops.Count > Limits.Stop.StringsMax)
        {
            throw new ArgumentException(
                $"at most {Limits.Stop.StringsMax} stop strings are supported, not {stops.Count}", nameof(stops));
        }

        foreach (var stop in stops)
        {
            if (stop.Length is 0 or > Limits.Stop.CharactersMax)
            {
                throw new ArgumentException(
                    $"a stop string must have 1 to {Limits.Stop.CharactersMax} characters", nameof(stops));
            }

            Add(stop);
        }

        LinkFallbacks();
        _state = _root;
    }

    /// <summary>The stop string that ended the text, or null.</summary>
    public string? MatchedStop { get; private set; }

    public bool Matched => MatchedStop is not null;

    /// <summary>How many characters are held back.</summary>
    public int Pending => Matched ? 0 : _state.Length;

    /// <summary>Takes text and returns what is safe to show; after a match nothing more.</summary>
    public string Push(string text)
    {
        if (Matched)
        {
            return "";
        }

        if (_root.Children.Count == 0)
        {
            return text;
        }

        var output = new StringBuilder();
        foreach (var c in text)
        {
            var held = _state;
            _state = Next(_state, c);
            MatchedStop = _state.Stop;
            var keep = MatchedStop?.Length ?? _state.Length;
            var release = held.Length + 1 - keep;
            output.Append(held.Source, 0, Math.Min(release, held.Length));
            if (release > held.Length)
            {
                output.Append(c);
            }

            if (Matched)
            {
                break;
            }
        }

        return output.ToString();
    }

    /// <summary>The text has ended: what was held back is no stop string after all.</summary>
    public string Flush()
    {
        var held = _state.Source[..Pending];
        _state = _root;
        return held;
    }

    void Add(string stop)
    {
        var node = _root;
        for (var i = 0; i < stop.Length; i++)
        {
            if (!node.Children.TryGetValue(stop[i], out var child))
            {
                node.Children.Add(stop[i], child = new(stop, i + 1));
            }

            node = child;
        }

        node.Stop = stop;
    }

    void LinkFallbacks()
    {
        var queue = new Queue<Node>([_root]);
        while (queue.TryDequeue(out var node))
        {
            foreach (var (c, child) in node.Children)
            {
                child.Fallback = node.Fallback is { } fallback ? Next(fallback, c) : _root;
                child.Stop ??= child.Fallback.Stop;
                queue.Enqueue(child);
            }
        }
    }

    Node Next(Node node, char c)
    {
        for (var at = node; at is not null; at = at.Fallback)
        {
            if (at.Children.TryGetValue(c, out var child))
            {
                return child;
            }
        }

        return _root;
    }
}
