namespace Hearth.Text.Templates;

/// <summary>The parser's view of the tokens: the current one, expectations, and the depth reached so far.</summary>
sealed class TokenStream(SourceText source, List<Token> tokens)
{
    int _at;

    public Token Current => tokens[_at];

    public Token Peek => tokens[Math.Min(_at + 1, tokens.Count - 1)];

    public int Depth { get; private set; }

    public int Line => source.Line(Current.Position);

    public Token Next()
    {
        var token = Current;
        if (token.Kind != TokenKind.End)
            _at++;
        return token;
    }

    public bool SkipName(string name) => Skip(Current.IsName(name));

    public bool SkipOperator(string op) => Skip(Current.IsOperator(op));

    public Token Expect(TokenKind kind) => Current.Kind == kind ? Next() : throw Unexpected(Token.Describe(kind));

    public void ExpectOperator(string op)
    {
        if (!SkipOperator(op))
            throw Unexpected(op);
    }

    public void ExpectName(string name)
    {
        if (!SkipName(name))
            throw Unexpected(name);
    }

    /// <summary>Goes one level deeper; the caller sets the depth back with <see cref="Rise"/>.</summary>
    public void Sink()
    {
        if (++Depth > TemplateLimits.Nesting)
            throw Fail($"nested more than {TemplateLimits.Nesting} deep", TemplateErrorKind.Limit);
    }

    public void Rise(int depth) => Depth = depth;

    public TemplateException Fail(string reason, TemplateErrorKind kind = TemplateErrorKind.Syntax) =>
        source.Error(reason, Math.Min(Current.Position, source.Text.Length), kind);

    public TemplateException Unexpected(string expected) => Current.Kind == TokenKind.End
        ? Fail($"unexpected end of template, expected '{expected}'.")
        : Fail($"expected token '{expected}', got '{Current.Description}'");

    bool Skip(bool matches)
    {
        if (matches)
            _at++;
        return matches;
    }
}
