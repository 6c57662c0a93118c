using Hearth.Engine.Models;
using Hearth.Text;

namespace Hearth.Silo;

/// <summary>The text side of a GGUF file: from its fields, which the engine reads, to what the tokenizer is made of.</summary>
static class GgufText
{
    const string At = "tokenizer.ggml.", Template = "tokenizer.chat_template";

    /// <returns>Null for a directory.</returns>
    public static GgufVocabulary? Read(string path)
    {
        if (LoadedModel.ReadGguf(path) is not { } fields)
            return null;
        var tokens = fields.Texts($"{At}tokens") ?? throw fields.Bad($"{At}tokens", "is missing");
        return new GgufVocabulary
        {
            File = fields.File,
            Model = fields.Text($"{At}model") ?? throw fields.Bad($"{At}model", "is missing"),
            Pre = fields.Text($"{At}pre"),
            Tokens = tokens,
            Scores = fields.Numbers($"{At}scores"),
            Types = fields.Numbers($"{At}token_type"),
            Merges = fields.Texts($"{At}merges"),
            Bos = Id("bos"),
            Eos = Id("eos"),
            Unknown = Id("unknown"),
            Padding = Id("padding"),
            AddBos = fields.BoolOrNull($"{At}add_bos_token"),
            AddEos = fields.BoolOrNull($"{At}add_eos_token"),
            AddSpacePrefix = fields.BoolOrNull($"{At}add_space_prefix"),
            ChatTemplate = fields.Text(Template),
            ToolTemplate = fields.Text($"{Template}.tool_use"),
        };

        int? Id(string kind) => fields.WholeOrNull($"{At}{kind}_token_id", 0, tokens.Length - 1);
    }
}
