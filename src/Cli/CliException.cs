namespace Hearth.Cli;

/// <summary>One sentence for the person at the terminal, with what to do; no stack.</summary>
sealed class CliException(string message, int exitCode) : Exception(message)
{
    public int ExitCode => exitCode;
}
