namespace Hearth.Cli;

static class ExitCodes
{
    public const int Success = 0;
    public const int Failure = 1;
    public const int Usage = 2;

    /// <summary>The model cannot be loaded (EX_SOFTWARE).</summary>
    public const int Model = 70;

    /// <summary>Something that may pass: a port in use, a server that does not answer (EX_TEMPFAIL).</summary>
    public const int Temporary = 75;
}
