namespace Hearth.Text.Tokenizers;

/// <summary>A file of a checkpoint, read whole.</summary>
static class PlainFile
{
    /// <returns>Null when there is none.</returns>
    /// <exception cref="TokenizerException">It is empty, too large, no plain file, or cannot be read.</exception>
    internal static byte[]? Read(string path, long bytesMax)
    {
        try
        {
            var file = new FileInfo(path);
            if (!file.Exists)
            {
                return null;
            }

            // A link's own length is not that of its file. Pipes and devices have none: reading one might never end.
            var length = file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target ? target.Length : file.Length;
            if (length == 0)
            {
                throw new TokenizerException(path, "", "is empty, or no plain file");
            }

            if (length > bytesMax)
            {
                throw new TokenizerException(path, "", $"has {length} bytes; at most {bytesMax} are supported");
            }

            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TokenizerException(path, "", $"cannot be read: {e.Message}", e);
        }
    }
}
