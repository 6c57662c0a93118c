using System.CommandLine;
using Hearth.Cli;
using Hearth.Silo;

var parsed = Verbs.Root().Parse(args);
if (parsed.Errors.Count > 0)
{
    foreach (var error in parsed.Errors)
        await Console.Error.WriteLineAsync(error.Message);
    await Console.Error.WriteLineAsync("See: hearth --help");
    return ExitCodes.Usage;
}
try
{
    return await parsed.InvokeAsync(new InvocationConfiguration
    {
        EnableDefaultExceptionHandler = false,
        ProcessTerminationTimeout = null,
    }, StopSignals.Instance.Stop);
}
catch (CliException error)
{
    await Console.Error.WriteLineAsync(OneLine(error.Message));
    return error.ExitCode;
}
catch (SiloException error)
{
    await Console.Error.WriteLineAsync(OneLine(error.Message));
    return error.Fault switch
    {
        SiloFault.Model => ExitCodes.Model,
        SiloFault.Option => ExitCodes.Usage,
        _ => ExitCodes.Temporary,
    };
}
catch (OperationCanceledException)
{
    return ExitCodes.Success;
}

// A message may quote a hostile file: no control characters for the terminal, no endless line.
static string OneLine(string message)
{
    const int CharactersMax = 2000;
    var text = message.Length <= CharactersMax ? message : message[..CharactersMax] + "…";
    return string.Create(text.Length, text, (line, source) =>
    {
        for (var i = 0; i < line.Length; i++)
            line[i] = char.IsControl(source[i]) ? ' ' : source[i];
    });
}
