namespace Hearth.Engine.Checkpoints;

/// <summary>A checkpoint that cannot be served. The message names the file, the tensor or field at fault, and what to
/// do.</summary>
public sealed class CheckpointException : Exception
{
    /// <param name="file">The file or directory at fault.</param>
    /// <param name="item">The tensor or field at fault; null if it is the file as a whole.</param>
    public CheckpointException(string file, string? item, string message, Exception? inner = null)
        : base(item is null ? $"{file}: {message}" : $"{file}: {item}: {message}", inner) => (File, Item) = (file, item);

    public string File { get; }
    public string? Item { get; }
}
