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
    {
        if (PlainFile.Read(path, Limits.Tokenizer.FileBytesMax) is not { } bytes)
        {
            return null;
        }

        try
        {
            return new(path, JsonDocument.Parse(bytes, new() { MaxDepth = Limits.Tokenizer.JsonDepthMax }));
        }
        catch (JsonException e)
        {
            throw new TokenizerException(path, "", $"is not valid JSON: {e.Message}", e);
        }
    }
}
