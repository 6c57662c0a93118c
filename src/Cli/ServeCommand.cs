using System.CommandLine;

namespace Hearth.Cli;

static class ServeCommand
{
    public static Command Create() => new("serve", "later");
}
