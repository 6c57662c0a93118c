namespace Hearth.Text;

/// <summary>What a GGUF file says of its tokenizer: the fields tokenizer.ggml.* and tokenizer.chat_template.</summary>
public sealed record GgufVocabulary
{
    /// <summary>The file, for errors.</summary>
    public required string File { get; init; }

    /// <summary>gpt2 for byte-level BPE, llama for SentencePiece.</summary>
    public required string Model { get; init; }

    /// <summary>How gpt2 cuts text into pieces: llama-bpe, qwen2, …</summary>
    public string? Pre { get; init; }
    public required IReadOnlyList<string> Tokens { get; init; }

    /// <summary>Of SentencePiece, one per token.</summary>
    public IReadOnlyList<double>? Scores { get; init; }

    /// <summary>One per token: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte.</summary>
    public IReadOnlyList<double>? Types { get; init; }

    /// <summary>Of gpt2: two tokens with a space between them, best first.</summary>
    public IReadOnlyList<string>? Merges { get; init; }
    public int? Bos { get; init; }
    public int? Eos { get; init; }
    public int? Unknown { get; init; }
    public int? Padding { get; init; }

    /// <summary>Whether every text begins with bos, or ends with eos; null where the file does not say.</summary>
    public bool? AddBos { get; init; }
    public bool? AddEos { get; init; }

    /// <summary>Whether SentencePiece puts a space before a text.</summary>
    public bool? AddSpacePrefix { get; init; }
    public string? ChatTemplate { get; init; }

    /// <summary>The template for requests with tools, if there is one of its own.</summary>
    public string? ToolTemplate { get; init; }

    internal string? TokenOf(int? id) => id is { } known && known >= 0 && known < Tokens.Count ? Tokens[known] : null;
}
