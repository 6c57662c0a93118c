using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace Hearth.Cli.Admin;

/// <summary>Makes verbs that ask a gateway one thing and show its answer.</summary>
static class AdminVerb
{
    static readonly JsonSerializerOptions _indented = new() { WriteIndented = true };

    public static Command Create(string name, string help, IEnumerable<Symbol> parameters,
        Func<AdminClient, ParseResult, CancellationToken, Task<JsonObject>> ask, Action<JsonObject> show)
    {
        var command = new Command(name, help) { AdminClient.Url, AdminClient.ApiKey, AdminClient.Json };
        foreach (var parameter in parameters)
        {
            if (parameter is Option option)
                command.Options.Add(option);
            else
                command.Arguments.Add((Argument)parameter);
        }
        command.SetAction(async (arguments, cancellationToken) =>
        {
            using var client = new AdminClient(arguments);
            var answer = await ask(client, arguments, cancellationToken);
            if (arguments.GetValue(AdminClient.Json))
                Console.WriteLine(answer.ToJsonString(_indented));
            else
                show(answer);
            return ExitCodes.Success;
        });
        return command;
    }

    /// <summary>A table of rows: each column is a heading and what of a row stands there.</summary>
    public static void ShowRows(JsonArray rows, params (string Heading, Func<JsonNode, string> Cell)[] columns)
    {
        var table = new Table().Border(TableBorder.Ascii2).AddColumns([.. columns.Select(c => c.Heading)]);
        foreach (var row in rows)
            table.AddRow([.. columns.Select(c => Markup.Escape(c.Cell(row!)))]);
        Terminal.Console.Write(table);
    }

    /// <summary>Every field of an object, one a line.</summary>
    public static void ShowFields(JsonObject fields)
    {
        var table = new Table().HideHeaders().Border(TableBorder.None).AddColumns("", "");
        foreach (var (name, value) in fields)
            table.AddRow(Markup.Escape(name.Replace('_', ' ')), Markup.Escape(Text(value)));
        Terminal.Console.Write(table);
    }

    public static string Text(JsonNode? value) => value switch
    {
        null => "",
        JsonArray list => string.Join(", ", list.Select(Text)),
        _ => value.ToString(),
    };
}
