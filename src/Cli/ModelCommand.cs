using System.CommandLine;

namespace Hearth.Cli;

static class ModelCommand
{
    public static Command Create() => new("model", "later");
}
