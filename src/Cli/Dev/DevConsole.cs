namespace Hearth.Cli.Dev;

/// <summary>Lines of many processes on one screen: each has its name before it, in its colour.</summary>
sealed class DevConsole
{
    static readonly int[] Colours = [36, 33, 35, 32, 34, 96, 93, 95, 92, 94];

    readonly bool _colour = !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is null or "";
    readonly List<string> _names = [];
    readonly Lock _gate = new();

    public void Write(string name, string line)
    {
        lock (_gate)
        {
            if (!_names.Contains(name))
                _names.Add(name);
            var label = name.PadRight(_names.Max(n => n.Length));
            var colour = Colours[_names.IndexOf(name) % Colours.Length];
            Console.WriteLine(_colour ? $"\e[{colour}m{label}\e[0m {line}" : $"{label} {line}");
        }
    }

    /// <summary>A word of <c>hearth dev</c> itself.</summary>
    public void Say(string line)
    {
        lock (_gate)
            Console.WriteLine(_colour ? $"\e[1m{line}\e[0m" : line);
    }
}
