using System.Text.Json;

namespace Hearth.Text.Tokenizers;

/// <summary>A JSON file of bounded size.</summary>
sealed class JsonFile : IDisposable
{
    readonly JsonDocument _document;

    JsonFile(string path, JsonDocument document)
    {
        _document = document;
        Root = JsonField.Root(path, document.RootElement);
    }

    internal JsonField Root { get; }

    public void Dispose() => _document.Dispose();

    /// <summary>The file, or null when there is none.</summary>
    internal static JsonFile? Read(string path)
        => PlainFile.Read(path, Limits.Tokenizer.FileBytesMax) is { } bytes ? Parse(path, bytes) : null;

    /// <param name="path">The file that the text comes from, for errors.</param>
    internal static JsonFile Parse(string path, ReadOnlyMemory<byte> json)
    {
        try
        {
            return new(path, JsonDocument.Parse(json, new() { MaxDepth = Limits.Tokenizer.JsonDepthMax }));
        }
        catch (JsonException e)
        {
            throw new TokenizerException(path, "", $"is not valid JSON: {e.Message}", e);
        }
    }
}
