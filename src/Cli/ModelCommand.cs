using System.CommandLine;
using System.Globalization;
using Hearth.Silo;
using Spectre.Console;

namespace Hearth.Cli;

/// <summary><c>hearth model inspect</c>: what is in a checkpoint and whether it can be served.</summary>
static class ModelCommand
{
    public static Command Create()
    {
        var directory = new Argument<string>("DIR") { Description = "The checkpoint's directory" };
        var inspect = new Command("inspect",
            "Check a checkpoint and list what is in it.\n\nExample: hearth model inspect models/demo")
        {
            directory,
        };
        inspect.SetAction(arguments =>
        {
            Write(ModelReport.Read(arguments.GetValue(directory)!));
            return ExitCodes.Success;
        });
        return new Command("model", "Look into checkpoints.") { inspect };
    }

    static void Write(ModelReport report)
    {
        var card = report.Card;
        var facts = new Table().HideHeaders().Border(TableBorder.None).AddColumns("", "");
        Row("model", $"{card.Name} ({card.Family})");
        Row("parameters", card.Parameters.ToString("N0", CultureInfo.InvariantCulture));
        Row("vocabulary", card.VocabularySize.ToString("N0", CultureInfo.InvariantCulture));
        Row("context", $"{card.ContextLength:N0} tokens");
        Row("cache", $"{report.KvBytesPerToken:N0} bytes per token (f16), " +
            $"{ByteSize.Format(report.KvBytesPerToken * card.ContextLength)} per full context");
        Row("ends with", string.Join(", ", card.EosTokens));
        Row("fingerprint", card.Fingerprint);
        Terminal.Console.Write(facts);

        var tensors = new Table().Border(TableBorder.Ascii2).AddColumns("tensor", "type", "shape", "size");
        foreach (var tensor in report.Tensors)
            tensors.AddRow(Markup.Escape(tensor.Name), tensor.Type, Markup.Escape(tensor.Shape), ByteSize.Format(tensor.Bytes));
        Terminal.Console.Write(tensors);

        void Row(string name, string value) => facts.AddRow(name, Markup.Escape(value));
    }
}
