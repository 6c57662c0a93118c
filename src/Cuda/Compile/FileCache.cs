namespace Hearth.Cuda;

/// <summary>What was computed once for a card and its libraries, on disk: compiled kernels, chosen algorithms. A file that
/// cannot be read or written costs only time.</summary>
/// <param name="warn">Told why something was not kept.</param>
sealed class FileCache(string folder, Action<string> warn)
{
    public byte[]? Read(string name)
    {
        var path = Path.Combine(folder, name);
        try
        {
            var file = new FileInfo(path);
            return file is { Exists: true, Length: > 0 and <= Limits.CacheFileBytesMax } ? File.ReadAllBytes(path) : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            warn($"{path} cannot be read: {error.Message}");
            return null;
        }
    }

    /// <summary>A reader sees the whole of it or nothing.</summary>
    public void Write(string name, ReadOnlySpan<byte> content)
    {
        var path = Path.Combine(folder, name);
        try
        {
            Directory.CreateDirectory(folder);
            var draft = $"{path}.{Environment.ProcessId}";
            File.WriteAllBytes(draft, content.ToArray());
            File.Move(draft, path, overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            warn($"{path} cannot be written, so the next start takes as long as this one: {error.Message}");
        }
    }
}
