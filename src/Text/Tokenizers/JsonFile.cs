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
        try
        {
            var file = new FileInfo(path);
            if (!file.Exists)
            {
                return null;
            }

            if (file.Length > Limits.Tokenizer.FileBytesMax)
            {
                throw new TokenizerException(
                    path, "", $"has {file.Length} bytes; at most {Limits.Tokenizer.FileBytesMax} are supported");
            }

            return new(path, JsonDocument.Parse(File.ReadAllBytes(path), new() { MaxDepth = Limits.Tokenizer.JsonDepthMax }));
        }
        catch (JsonException e)
        {
            throw new TokenizerException(path, "", $"is not valid JSON: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TokenizerException(path, "", $"cannot be read: {e.Message}", e);
        }
    }
}
