namespace Hearth.Simulation.Tests;

static class Program
{
    static Task<int> Main(string[] args) => Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args);
}
