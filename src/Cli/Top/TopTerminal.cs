using System.Text;
using System.Threading.Channels;

namespace Hearth.Cli.Top;

/// <summary>Where frames go: a screen of their own on a terminal, which is redrawn in place; line after line elsewhere.</summary>
sealed class TopTerminal : IDisposable
{
    const int PageColumns = 130, PageLines = 1000, KeysWaiting = 16;

    static readonly string[] _localeVariables = ["LC_ALL", "LC_CTYPE", "LANG"];

    readonly bool _colour;
    readonly bool _ownScreen;
    readonly Channel<char> _keys = Channel.CreateBounded<char>(KeysWaiting);

    /// <param name="live">Whether frames follow each other on a screen of their own, where there is one.</param>
    public TopTerminal(bool live)
    {
        var isTerminal = !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("TERM") is not ("dumb" or "" or null);
        _colour = isTerminal && Environment.GetEnvironmentVariable("NO_COLOR") is null or "";
        _ownScreen = isTerminal && live;
        Width = Console.IsOutputRedirected ? PageColumns : Console.WindowWidth;
        if (!_ownScreen)
            return;
        Console.Write("\e[?1049h\e[?25l");
        if (!Console.IsInputRedirected)
            new Thread(ReadKeys) { IsBackground = true, Name = "keys" }.Start();
    }

    public bool HasKeys => _ownScreen && !Console.IsInputRedirected;
    public bool IsFancy { get; } = OperatingSystem.IsWindows()
        ? Console.OutputEncoding.CodePage == Encoding.UTF8.CodePage
        : _localeVariables.Select(Environment.GetEnvironmentVariable).FirstOrDefault(v => v is { Length: > 0 }) is { } locale
            && (locale.Contains("UTF-8", StringComparison.OrdinalIgnoreCase)
                || locale.Contains("UTF8", StringComparison.OrdinalIgnoreCase));
    public int Width { get; private set; }
    public int Height { get; private set; } = PageLines;

    /// <summary>A key, or null when the time is over.</summary>
    public async Task<char?> KeyAsync(TimeSpan wait, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            // A wait that is given up takes no key with it, as a read would.
            await _keys.Reader.WaitToReadAsync(cancellationToken).AsTask().WaitAsync(wait, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            return null;
        }
        return _keys.Reader.TryRead(out var key) ? key : null;
    }

    /// <summary>To be called before a frame is laid out: the window may have another size now.</summary>
    public void Measure()
    {
        if (_ownScreen)
            (Width, Height) = (Console.WindowWidth, Console.WindowHeight);
    }

    public void Show(IReadOnlyList<IReadOnlyList<Piece>> lines)
    {
        var text = new StringBuilder(_ownScreen ? "\e[H" : "");
        foreach (var line in _ownScreen ? lines.Take(Height) : lines)
        {
            if (_ownScreen && line != lines[0])
                text.Append("\r\n");
            foreach (var piece in line)
                text.Append(Coloured(piece));
            text.Append(_ownScreen ? "\e[K" : "\n");
        }
        // What an earlier, longer frame left below.
        Console.Write(text.Append(_ownScreen ? "\e[J" : ""));
    }

    public void Dispose()
    {
        if (_ownScreen)
            Console.Write("\e[?25h\e[?1049l");
    }

    string Coloured(Piece piece) => !_colour || piece.Tone == Tone.Plain ? piece.Text
        : $"\e[{piece.Tone switch
        {
            Tone.Strong => 1,
            Tone.Faint => 2,
            Tone.Good => 32,
            Tone.Warning => 33,
            _ => 31,
        }}m{piece.Text}\e[0m";

    void ReadKeys()
    {
        while (true)
            _keys.Writer.TryWrite(Console.ReadKey(intercept: true).KeyChar);
    }
}
