using Spectre.Console;

namespace Hearth.Cli;

/// <summary>Standard output for tables: as wide as a page and without colour where it is no terminal.</summary>
static class Terminal
{
    const int PageColumns = 130;

    public static IAnsiConsole Console { get; } = Create();

    static IAnsiConsole Create()
    {
        if (!System.Console.IsOutputRedirected)
            return AnsiConsole.Console;
        var plain = new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors };
        var console = AnsiConsole.Create(plain);
        console.Profile.Width = PageColumns;
        return console;
    }
}
