namespace Hearth.Text;

/// <summary>
/// A stretch of a rendered chat template. Text that the template itself wrote is trusted and may hold control tokens;
/// all other text is somebody's data and never becomes one.
/// </summary>
public readonly record struct TextSegment(string Text, bool IsTemplate);
