using Hearth.Cluster.Tests.Chaos;
using Xunit.Runner.InProc.SystemConsole;

namespace Hearth.Cluster.Tests;

/// <summary>The tests, or with <c>chaos</c> the long run.</summary>
static class Program
{
    static async Task<int> Main(string[] arguments)
    {
        if (arguments is not ["chaos", .. var rest])
            return await ConsoleRunner.Run(arguments);
        try
        {
            return await ChaosRun.RunAsync(ChaosOptions.Parse(rest));
        }
        catch (FormatException e)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return 2;
        }
    }
}
