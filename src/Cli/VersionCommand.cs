using System.CommandLine;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Hearth.Cli;

/// <summary><c>hearth version</c>: what runs here, for a report of a fault.</summary>
static class VersionCommand
{
    public static Command Create()
    {
        var command = new Command("version", "Show version and commit.\n\nExample: hearth version");
        command.SetAction(_ =>
        {
            Console.WriteLine(Describe(typeof(VersionCommand).Assembly
                .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion));
            return ExitCodes.Success;
        });
        return command;
    }

    /// <param name="informational">1.2.3+COMMIT, or without a commit where the build knew none.</param>
    static string Describe(string informational)
    {
        var parts = informational.Split('+', 2);
        return $"hearth {parts[0]} (commit {(parts.Length > 1 ? parts[1] : "unknown")}, " +
            $".NET {Environment.Version}, {RuntimeInformation.RuntimeIdentifier})";
    }
}
