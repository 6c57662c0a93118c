using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Hearth.Cli.Admin;

namespace Hearth.Cli;

/// <summary><c>hearth conv</c>: what an operator sees of conversations, and does with them.</summary>
static class ConvCommand
{
    static readonly Argument<string> _id = new("ID") { Description = "The conversation" };
    static readonly Option<string?> _to = Flag.Text("--to", "The silo that takes it; the cluster chooses if not given");
    static readonly Option<int> _limit = Flag.Number("--limit", "Most rows", 100);

    public static Command Create() => new("conv", "See, move and delete conversations.")
    {
        AdminVerb.Create("ls", "List the conversations that changed last.\n\nExample: hearth conv ls --limit 20", [_limit],
            (client, arguments, stop) => client.SendAsync(HttpMethod.Get, string.Create(
                CultureInfo.InvariantCulture, $"admin/conversations?limit={arguments.GetValue(_limit)}"), null, stop),
            answer => AdminVerb.ShowRows(answer["data"]!.AsArray(),
                ("conversation", c => AdminVerb.Text(c["id"])),
                ("silo", c => AdminVerb.Text(c["silo"])),
                ("state", c => AdminVerb.Text(c["state"])),
                ("turns", c => AdminVerb.Text(c["turns"])),
                ("cached", c => $"{AdminVerb.Text(c["cached_tokens"])} {AdminVerb.Text(c["tier"])}"),
                ("bytes", c => ByteSize.Format(c["bytes"]!.GetValue<long>())))),
        AdminVerb.Create("show", "Describe a conversation.\n\nExample: hearth conv show first", [_id],
            (client, arguments, stop) => client.SendAsync(HttpMethod.Get, PathOf(arguments), null, stop), AdminVerb.ShowFields),
        AdminVerb.Create("migrate", "Move a conversation to another silo, with its cache and its running reply.\n\n" +
            "Example: hearth conv migrate first --to silo-1", [_id, _to],
            (client, arguments, stop) => client.SendAsync(HttpMethod.Post, PathOf(arguments) + "/migrate",
                arguments.GetValue(_to) is { } silo ? new JsonObject { ["silo"] = silo } : [], stop), AdminVerb.ShowFields),
        AdminVerb.Create("spill", "Write a conversation's cache to the store and free its memory.\n\n" +
            "Example: hearth conv spill first", [_id],
            (client, arguments, stop) => client.SendAsync(HttpMethod.Post, PathOf(arguments) + "/spill", null, stop),
            AdminVerb.ShowFields),
        AdminVerb.Create("rm", "Delete a conversation for good.\n\nExample: hearth conv rm first", [_id],
            (client, arguments, stop) => client.SendAsync(HttpMethod.Delete, PathOf(arguments), null, stop),
            AdminVerb.ShowFields),
    };

    static string PathOf(ParseResult arguments) => $"admin/conversations/{Uri.EscapeDataString(arguments.GetValue(_id)!)}";
}
