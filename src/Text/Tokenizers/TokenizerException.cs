namespace Hearth.Text;

/// <summary>A tokenizer's files cannot be used; the message names the file and the field.</summary>
public sealed class TokenizerException : Exception
{
    public TokenizerException(string file, string field, string problem, Exception? cause = null)
        : base($"{file}: {(field.Length == 0 ? "" : $"field '{field}': ")}{problem}", cause)
    {
        File = file;
        Field = field;
    }

    public string File { get; }

    /// <summary>The path inside the file, such as <c>model.merges[3]</c>; empty when the file as a whole is meant.</summary>
    public string Field { get; }
}
