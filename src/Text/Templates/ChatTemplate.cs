namespace Hearth.Text.Templates;

/// <summary>
/// A chat template: jinja2 3.1 as transformers runs it (trim_blocks, lstrip_blocks, loop controls, an immutable
/// sandbox), interpreted over our own closed set of values. Parsed once, rendered many times, safe to share.
/// </summary>
public sealed class ChatTemplate
{
    readonly string _name;
    readonly Symbols _symbols;
    readonly Block _body;

    ChatTemplate(string name, Symbols symbols, Block body)
    {
        _name = name;
        _symbols = symbols;
        _body = body;
    }

    /// <exception cref="TemplateException">The source is too long, nested too deep or does not parse.</exception>
    public static ChatTemplate Parse(string source, string sourceName)
    {
        if (source.Length > TemplateLimits.SourceLength)
        {
            throw new TemplateException(
                TemplateErrorKind.Limit, $"a template of more than {TemplateLimits.SourceLength} characters", sourceName, 1, 1);
        }
        var text = new SourceText(source, sourceName);
        var symbols = new Symbols();
        return new ChatTemplate(sourceName, symbols, Parser.Parse(text, symbols));
    }

    /// <summary>Renders to pieces of template text and user data in turn; user data never becomes template text.</summary>
    /// <exception cref="TemplateException">The template refused, failed, or used up its budget.</exception>
    public IReadOnlyList<TextSegment> Render(TemplateContext context, CancellationToken ct)
    {
        Run? run = null;
        try
        {
            var variables = context.ToVariables().ToList();
            run = new Run(Fuel.For(variables.Select(v => v.Value)), context.Now, ct);
            var globals = new Frame(run, _symbols.Count, null);
            foreach (var (name, value) in Globals.All.Concat(variables))
            {
                if (_symbols.TryFind(name, out var slot))
                    globals.Slots[slot] = value;
            }
            var output = new StrBuilder(run);
            _body.Execute(globals.Inner(), output);
            return output.ToSegments();
        }
        catch (EvaluationError error)
        {
            throw new TemplateException(error.Kind, error.Message, _name, run?.Line ?? 1, 0, error);
        }
    }
}
