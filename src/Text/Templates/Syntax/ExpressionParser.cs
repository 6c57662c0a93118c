namespace Hearth.Text.Templates;

/// <summary>jinja2's expression grammar, by recursive descent.</summary>
sealed class ExpressionParser(TokenStream tokens, Symbols symbols)
{
    static readonly string[] s_comparisons = ["==", "!=", "<", "<=", ">", ">="];

    // Loosest first; ** binds to the left in jinja2, and tighter than a sign does not.
    static readonly string[][] s_levels = [["+", "-"], ["~"], ["*", "/", "//", "%"], ["**"]];

    /// <summary>Names read inside the macro being parsed, so that it is known which special ones it uses.</summary>
    public HashSet<string>? NamesSeen { get; set; }

    public Expression Parse(bool withConditional = true)
    {
        var depth = tokens.Depth;
        tokens.Sink();
        var expression = withConditional ? ParseConditional() : ParseOr();
        tokens.Rise(depth);
        return expression;
    }

    /// <summary>An expression, or a tuple where commas follow.</summary>
    public Expression ParseTuple(
        bool simplified = false, bool withConditional = true, string? endName = null, bool isParenthesized = false)
    {
        var elements = new List<Expression>();
        var isTuple = false;
        while (true)
        {
            if (elements.Count > 0)
                tokens.ExpectOperator(",");
            if (IsTupleEnd(endName))
                break;
            elements.Add(simplified ? ParsePrimary() : Parse(withConditional));
            if (!tokens.Current.IsOperator(","))
                break;
            isTuple = true;
        }
        if (!isTuple && elements.Count > 0)
            return elements[0];
        if (!isTuple && !isParenthesized)
            throw tokens.Fail($"Expected an expression, got '{tokens.Current.Description}'");
        return new SequenceExpression(SequenceKind.Tuple, [.. elements]);
    }

    /// <summary>The filters of a block: `upper | trim` after {% filter or {% set x |.</summary>
    public FilterExpression ParseBlockFilter()
    {
        var filter = ParseFilter(null);
        return tokens.Current.IsOperator("|") ? (FilterExpression)ParseFilters(filter) : filter;
    }

    public NameExpression ParseName()
    {
        var name = tokens.Expect(TokenKind.Name).Text;
        NamesSeen?.Add(name);
        return new NameExpression(name, symbols.Slot(name));
    }

    public Expression ParsePrimary()
    {
        var token = tokens.Current;
        switch (token.Kind)
        {
            case TokenKind.Name:
                if (Keyword(token.Text) is not { } value)
                    return ParseName();
                tokens.Next();
                return new ConstantExpression(value);
            case TokenKind.String:
                return ParseString();
            case TokenKind.Integer:
                tokens.Next();
                return new ConstantExpression(Integer(token));
            case TokenKind.Float:
                tokens.Next();
                return new ConstantExpression(new FloatValue(Numbers.ParseFloat(token.Text)!.Value));
            case TokenKind.Operator when token.Text is "(":
                return ParseParenthesized();
            case TokenKind.Operator when token.Text is "[":
                return ParseList();
            case TokenKind.Operator when token.Text is "{":
                return ParseDict();
            default:
                throw tokens.Fail($"unexpected '{token.Description}'");
        }
    }

    public Expression ParsePostfix(Expression expression)
    {
        while (true)
        {
            tokens.Sink();
            if (tokens.Current.IsOperator(".") || tokens.Current.IsOperator("["))
                expression = ParseSubscript(expression);
            else if (tokens.Current.IsOperator("("))
                expression = new CallExpression(expression, ParseArguments());
            else
                return expression;
        }
    }

    public ArgumentList ParseArguments()
    {
        tokens.ExpectOperator("(");
        var positional = new List<Expression>();
        var named = new List<(StrValue, Expression)>();
        Expression? spread = null, namedSpread = null;
        while (!tokens.Current.IsOperator(")"))
        {
            if (positional.Count + named.Count > 0 || spread is not null || namedSpread is not null)
            {
                tokens.ExpectOperator(",");
                if (tokens.Current.IsOperator(")"))
                    break;
            }
            if (namedSpread is null && spread is null && tokens.SkipOperator("*"))
                spread = Parse();
            else if (namedSpread is null && tokens.SkipOperator("**"))
                namedSpread = Parse();
            else if (namedSpread is null && tokens.Current.Kind == TokenKind.Name && tokens.Peek.IsOperator("="))
                named.Add((StrValue.Template(ParseArgumentName()), Parse()));
            else if (named.Count == 0 && spread is null && namedSpread is null)
                positional.Add(Parse());
            else
                throw tokens.Fail("invalid syntax for function call expression");
        }
        tokens.ExpectOperator(")");
        return new ArgumentList([.. positional], [.. named], spread, namedSpread);
    }

    string ParseArgumentName()
    {
        var name = tokens.Next().Text;
        tokens.ExpectOperator("=");
        return name;
    }

    Expression ParseConditional()
    {
        var expression = ParseOr();
        while (tokens.SkipName("if"))
        {
            tokens.Sink();
            var condition = ParseOr();
            var otherwise = tokens.SkipName("else") ? Parse() : null;
            expression = new ConditionalExpression(condition, expression, otherwise);
        }
        return expression;
    }

    Expression ParseOr()
    {
        var left = ParseAnd();
        while (tokens.SkipName("or"))
        {
            tokens.Sink();
            left = new LogicExpression(isAnd: false, left, ParseAnd());
        }
        return left;
    }

    Expression ParseAnd()
    {
        var left = ParseNot();
        while (tokens.SkipName("and"))
        {
            tokens.Sink();
            left = new LogicExpression(isAnd: true, left, ParseNot());
        }
        return left;
    }

    Expression ParseNot()
    {
        if (!tokens.SkipName("not"))
            return ParseComparison();
        tokens.Sink();
        return new NotExpression(ParseNot());
    }

    Expression ParseComparison()
    {
        var first = ParseBinary(0);
        var rest = new List<(string, Expression)>();
        while (true)
        {
            var token = tokens.Current;
            if (token.Kind == TokenKind.Operator && s_comparisons.Contains(token.Text))
                rest.Add((tokens.Next().Text, ParseBinary(0)));
            else if (tokens.SkipName("in"))
                rest.Add(("in", ParseBinary(0)));
            else if (token.IsName("not") && tokens.Peek.IsName("in") && tokens.SkipName("not") && tokens.SkipName("in"))
                rest.Add(("not in", ParseBinary(0)));
            else
                return rest.Count == 0 ? first : new ComparisonExpression(first, [.. rest]);
        }
    }

    Expression ParseBinary(int level)
    {
        if (level == s_levels.Length)
            return ParseUnary();
        var left = ParseBinary(level + 1);
        if (s_levels[level][0] == "~")
            return ParseConcat(left, level);
        while (tokens.Current.Kind == TokenKind.Operator && s_levels[level].Contains(tokens.Current.Text))
        {
            tokens.Sink();
            left = new BinaryExpression(tokens.Next().Text, left, ParseBinary(level + 1));
        }
        return left;
    }

    Expression ParseConcat(Expression first, int level)
    {
        if (!tokens.Current.IsOperator("~"))
            return first;
        var parts = new List<Expression> { first };
        while (tokens.SkipOperator("~"))
            parts.Add(ParseBinary(level + 1));
        return new ConcatExpression([.. parts]);
    }

    Expression ParseUnary(bool withFilter = true)
    {
        var depth = tokens.Depth;
        tokens.Sink();
        Expression expression;
        if (tokens.SkipOperator("-"))
            expression = new UnaryExpression('-', ParseUnary(withFilter: false));
        else if (tokens.SkipOperator("+"))
            expression = new UnaryExpression('+', ParseUnary(withFilter: false));
        else
            expression = ParsePrimary();
        expression = ParsePostfix(expression);
        if (withFilter)
            expression = ParseFilters(expression);
        // What was chained on stays counted by the levels around it only while it is being parsed.
        tokens.Rise(depth);
        return expression;
    }

    Expression ParseFilters(Expression expression)
    {
        while (true)
        {
            tokens.Sink();
            if (tokens.SkipOperator("|"))
                expression = ParseFilter(expression);
            else if (tokens.SkipName("is"))
                expression = ParseTest(expression);
            else if (tokens.Current.IsOperator("("))
                expression = new CallExpression(expression, ParseArguments());
            else
                return expression;
        }
    }

    FilterExpression ParseFilter(Expression? input)
    {
        var name = ParseDottedName();
        return new FilterExpression(input, name, tokens.Current.IsOperator("(") ? ParseArguments() : ArgumentList.Empty);
    }

    Expression ParseTest(Expression input)
    {
        var isNegated = tokens.SkipName("not");
        var name = ParseDottedName();
        var arguments = ArgumentList.Empty;
        if (tokens.Current.IsOperator("("))
        {
            arguments = ParseArguments();
        }
        else if (StartsTestArgument(tokens.Current))
        {
            if (tokens.Current.IsName("is"))
                throw tokens.Fail("You cannot chain multiple tests with is");
            arguments = ArgumentList.Empty with { Positional = [ParsePostfix(ParsePrimary())] };
        }
        var test = new TestExpression(input, name, arguments);
        return isNegated ? new NotExpression(test) : test;
    }

    static bool StartsTestArgument(Token token) => token.Kind switch
    {
        TokenKind.Name => token.Text is not ("else" or "or" or "and"),
        TokenKind.String or TokenKind.Integer or TokenKind.Float => true,
        TokenKind.Operator => token.Text is "[" or "{",
        _ => false,
    };

    string ParseDottedName()
    {
        var parts = new List<string> { tokens.Expect(TokenKind.Name).Text };
        while (tokens.SkipOperator("."))
            parts.Add(tokens.Expect(TokenKind.Name).Text);
        return string.Join('.', parts);
    }

    Expression ParseSubscript(Expression owner)
    {
        if (tokens.SkipOperator("."))
        {
            var token = tokens.Next();
            return token.Kind switch
            {
                TokenKind.Name => new MemberExpression(owner, token.Text),
                TokenKind.Integer => new IndexExpression(owner, new ConstantExpression(Integer(token))),
                _ => throw tokens.Fail("expected name or number"),
            };
        }
        tokens.ExpectOperator("[");
        if (tokens.Current.IsOperator(":"))
            return ParseSlice(owner, null);
        var key = Parse();
        if (tokens.Current.IsOperator(":"))
            return ParseSlice(owner, key);
        tokens.ExpectOperator("]");
        return new IndexExpression(owner, key);
    }

    SliceExpression ParseSlice(Expression owner, Expression? start)
    {
        tokens.ExpectOperator(":");
        var stop = IsSliceEnd() ? null : Parse();
        var step = tokens.SkipOperator(":") && !IsSliceEnd() ? Parse() : null;
        tokens.ExpectOperator("]");
        return new SliceExpression(owner, start, stop, step);
    }

    bool IsSliceEnd() => tokens.Current.IsOperator(":") || tokens.Current.IsOperator("]");

    ConstantExpression ParseString()
    {
        var text = tokens.Next().Text;
        if (tokens.Current.Kind == TokenKind.String)
        {
            var parts = new List<string> { text };
            while (tokens.Current.Kind == TokenKind.String)
                parts.Add(tokens.Next().Text);
            text = string.Concat(parts);
        }
        return new ConstantExpression(StrValue.Template(text));
    }

    Expression ParseParenthesized()
    {
        tokens.ExpectOperator("(");
        var expression = ParseTuple(isParenthesized: true);
        tokens.ExpectOperator(")");
        return expression;
    }

    SequenceExpression ParseList()
    {
        tokens.ExpectOperator("[");
        var elements = new List<Expression>();
        while (!tokens.Current.IsOperator("]"))
        {
            if (elements.Count > 0)
                tokens.ExpectOperator(",");
            if (!tokens.Current.IsOperator("]"))
                elements.Add(Parse());
        }
        tokens.ExpectOperator("]");
        return new SequenceExpression(SequenceKind.List, [.. elements]);
    }

    DictExpression ParseDict()
    {
        tokens.ExpectOperator("{");
        var entries = new List<(Expression, Expression)>();
        while (!tokens.Current.IsOperator("}"))
        {
            if (entries.Count > 0)
                tokens.ExpectOperator(",");
            if (tokens.Current.IsOperator("}"))
                break;
            var key = Parse();
            tokens.ExpectOperator(":");
            entries.Add((key, Parse()));
        }
        tokens.ExpectOperator("}");
        return new DictExpression([.. entries]);
    }

    bool IsTupleEnd(string? endName) => tokens.Current.Kind is TokenKind.PrintEnd or TokenKind.BlockEnd
        || tokens.Current.IsOperator(")") || (endName is not null && tokens.Current.IsName(endName));

    IntValue Integer(Token token) => Numbers.ParseInt(token.Text, 0) is { } number
        && number.GetBitLength() <= TemplateLimits.IntegerBits
            ? IntValue.Of(number)
            : throw tokens.Fail($"an integer of more than {TemplateLimits.IntegerBits} bits", TemplateErrorKind.Limit);

    static Value? Keyword(string name) => name switch
    {
        "true" or "True" => BoolValue.True,
        "false" or "False" => BoolValue.False,
        "none" or "None" => NoneValue.Instance,
        _ => null,
    };
}
