using System.CommandLine;
using Hearth.Cli.Doctor;
using Hearth.Cli.Top;

namespace Hearth.Cli;

/// <summary>All that <c>hearth</c> can be asked.</summary>
static class Verbs
{
    public static RootCommand Root() => new("Hearth serves chats: a conversation keeps its cache, and never forgets.")
    {
        ServeCommand.Create(),
        SiloCommand.Create(),
        GatewayCommand.Create(),
        DevCommand.Create(),
        ChatCommand.Create(),
        ConvCommand.Create(),
        ModelCommand.Create(),
        HealthCommand.Create(),
        BenchCommand.Create(),
        TopCommand.Create(),
        DoctorCommand.Create(),
        VersionCommand.Create(),
    };
}
