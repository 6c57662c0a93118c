using System.Text.Json.Nodes;

namespace Hearth.MakeCheckpoint;

/// <summary>A tokenizer that can say everything: one token per byte, the control tokens of ChatML, and for every other id a made-up
/// word, which no text is encoded to, so that a reply of random ids has a text.</summary>
static class Tokenizer
{
    public const int EndOfText = 256, StartOfMessage = 257, EndOfMessage = 258;

    const string ChatTemplate =
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
        + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

    static readonly (int Id, string Content)[] Control =
        [(EndOfText, "<|endoftext|>"), (StartOfMessage, "<|im_start|>"), (EndOfMessage, "<|im_end|>")];

    /// <param name="size">Ids of the model.</param>
    public static JsonObject Json(int size)
    {
        var vocabulary = new JsonObject();
        for (var (value, stranger) = (0, 256); value < 256; value++)
        {
            // GPT-2's alphabet: printable bytes are themselves, the others take the characters from 256 on.
            var printable = value is >= 33 and <= 126 or >= 161 and <= 172 or >= 174;
            vocabulary.Add(((char)(printable ? value : stranger++)).ToString(), value);
        }
        for (var id = EndOfMessage + 1; id < size; id++)
            vocabulary.Add($"\u0120w{id}", id);
        var json = Parse("""
            {
              "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
              "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
              "decoder": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
              "model": { "type": "BPE", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "merges": [] }
            }
            """);
        json["model"]!["vocab"] = vocabulary;
        json["added_tokens"] = new JsonArray([.. Control.Select(c => (JsonNode)Parse($$"""
            {
              "id": {{c.Id}}, "content": "{{c.Content}}", "single_word": false, "lstrip": false, "rstrip": false,
              "normalized": false, "special": true
            }
            """))]);
        return json;
    }

    public static JsonObject Config() => new()
    {
        ["tokenizer_class"] = "PreTrainedTokenizerFast",
        ["bos_token"] = null,
        ["eos_token"] = "<|im_end|>",
        ["pad_token"] = "<|endoftext|>",
        ["add_bos_token"] = false,
        ["clean_up_tokenization_spaces"] = false,
        ["chat_template"] = ChatTemplate,
    };

    static JsonObject Parse(string json) => JsonNode.Parse(json)!.AsObject();
}
