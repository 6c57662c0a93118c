using System.Globalization;
using Hearth.Cluster.Tests.Chaos;
using Xunit.Runner.InProc.SystemConsole;

namespace Hearth.Cluster.Tests;

/// <summary>The tests; with <c>chaos</c> the long run, with <c>takeover N</c> the time that N kills cost a client.</summary>
static class Program
{
    static async Task<int> Main(string[] arguments)
    {
        if (arguments is ["takeover", var times])
            return await TakeoverTimes.RunAsync(int.Parse(times, CultureInfo.InvariantCulture));
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
