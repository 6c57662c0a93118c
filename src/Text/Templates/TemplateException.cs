namespace Hearth.Text.Templates;

/// <summary>Why a template failed.</summary>
public enum TemplateErrorKind
{
    /// <summary>The source does not parse.</summary>
    Syntax,

    /// <summary>The template refused the conversation with raise_exception: the caller's request is at fault.</summary>
    Raised,

    /// <summary>A type error, an undefined value, an attribute that the sandbox refuses.</summary>
    Runtime,

    /// <summary>The template used up its budget.</summary>
    Limit,
}

/// <summary>A template that does not parse or cannot be rendered. Lines and columns start at 1; column 0 is unknown.</summary>
public sealed class TemplateException : Exception
{
    internal TemplateException(
        TemplateErrorKind kind, string reason, string source, int line, int column, Exception? inner = null)
        : base($"{source}:{line}{(column > 0 ? $":{column}" : "")}: {reason}", inner)
    {
        Kind = kind;
        Reason = reason;
        SourceName = source;
        Line = line;
        Column = column;
    }

    public TemplateErrorKind Kind { get; }

    /// <summary>The message without the place; for <see cref="TemplateErrorKind.Raised"/> the template's own words.</summary>
    public string Reason { get; }

    public string SourceName { get; }

    public int Line { get; }

    public int Column { get; }
}

/// <summary>A failure inside the evaluator, before the place in the source is known.</summary>
sealed class EvaluationError(TemplateErrorKind kind, string message) : Exception(message)
{
    public TemplateErrorKind Kind { get; } = kind;

    public static EvaluationError Runtime(string message) => new(TemplateErrorKind.Runtime, message);

    public static EvaluationError Limit(string message) => new(TemplateErrorKind.Limit, message);
}
