namespace Hearth.Text.Templates;

/// <summary>jinja2's statements, by recursive descent.</summary>
sealed class Parser
{
    readonly TokenStream _tokens;
    readonly Symbols _symbols;
    readonly ExpressionParser _expressions;
    readonly Stack<string> _openTags = [];
    readonly Stack<string[]> _awaitedTags = [];
    int _loops;

    Parser(SourceText source, Symbols symbols)
    {
        _tokens = new TokenStream(source, Lexer.Tokenize(source));
        _symbols = symbols;
        _expressions = new ExpressionParser(_tokens, symbols);
    }

    public static Block Parse(SourceText source, Symbols symbols)
    {
        var parser = new Parser(source, symbols);
        try
        {
            return parser.ParseBody();
        }
        catch (EvaluationError error)
        {
            throw parser._tokens.Fail(error.Message, error.Kind);
        }
    }

    /// <summary>Statements up to one of the end tags, which becomes the current token, or to the end of the source.</summary>
    Block ParseBody(params string[] endTags)
    {
        var statements = new List<Statement>();
        if (endTags.Length > 0)
            _awaitedTags.Push(endTags);
        while (_tokens.Current.Kind != TokenKind.End)
        {
            var line = _tokens.Line;
            var token = _tokens.Next();
            if (token.Kind == TokenKind.Data)
            {
                statements.Add(new DataStatement(line, token.Text));
            }
            else if (token.Kind == TokenKind.PrintBegin)
            {
                statements.Add(new PrintStatement(line, _expressions.ParseTuple()));
                _tokens.Expect(TokenKind.PrintEnd);
            }
            else
            {
                if (_tokens.Current.Kind == TokenKind.Name && endTags.Contains(_tokens.Current.Text))
                    break;
                statements.Add(ParseStatement(line));
                _tokens.Expect(TokenKind.BlockEnd);
            }
        }
        if (endTags.Length > 0)
        {
            if (_tokens.Current.Kind == TokenKind.End)
                throw UnknownTag(null);
            _awaitedTags.Pop();
        }
        return new Block([.. statements]);
    }

    Block ParseBlock(params string[] endTags)
    {
        _tokens.SkipOperator(":");
        _tokens.Expect(TokenKind.BlockEnd);
        return ParseBody(endTags);
    }

    Block ParseBlockAndDrop(string endTag)
    {
        var block = ParseBlock(endTag);
        _tokens.Next();
        return block;
    }

    Statement ParseStatement(int line)
    {
        if (_tokens.Current.Kind != TokenKind.Name)
            throw _tokens.Fail("tag name expected");
        var depth = _tokens.Depth;
        _tokens.Sink();
        var tag = _tokens.Next().Text;
        _openTags.Push(tag);
        Statement statement = tag switch
        {
            "if" => ParseIf(line),
            "for" => ParseFor(line),
            "set" => ParseSet(line),
            "macro" => ParseMacro(line),
            "call" => ParseCall(line),
            "filter" => new FilterBlockStatement(line, _expressions.ParseBlockFilter(), ParseIsolated("endfilter")),
            "with" => ParseWith(line),
            "generation" => new GenerationStatement(line, ParseIsolated("endgeneration")),
            "print" => new PrintStatement(line, _expressions.ParseTuple()),
            "break" when _loops > 0 => new FlowStatement(line, Flow.Break),
            "continue" when _loops > 0 => new FlowStatement(line, Flow.Continue),
            "break" or "continue" => throw _tokens.Fail($"'{tag}' outside loop"),
            "include" or "import" or "from" or "extends" or "block" =>
                throw _tokens.Fail($"'{tag}' is refused: a chat template stands alone"),
            _ => throw FailUnknownTag(tag),
        };
        _openTags.Pop();
        _tokens.Rise(depth);
        return statement;
    }

    IfStatement ParseIf(int line)
    {
        var branches = new List<(Expression, Block)>();
        Block? otherwise = null;
        while (true)
        {
            var condition = _expressions.ParseTuple(withConditional: false);
            branches.Add((condition, ParseBlock("elif", "else", "endif")));
            var tag = _tokens.Next().Text;
            if (tag == "else")
                otherwise = ParseBlockAndDrop("endif");
            if (tag != "elif")
                return new IfStatement(line, [.. branches], otherwise);
        }
    }

    ForStatement ParseFor(int line)
    {
        var target = ToTarget(_expressions.ParseTuple(simplified: true, endName: "in"));
        _tokens.ExpectName("in");
        var items = _expressions.ParseTuple(withConditional: false, endName: "recursive");
        var test = _tokens.SkipName("if") ? _expressions.Parse() : null;
        var isRecursive = _tokens.SkipName("recursive");
        _loops++;
        var body = ParseBlock("endfor", "else");
        _loops--;
        var otherwise = _tokens.Next().Text == "else" ? ParseBlockAndDrop("endfor") : null;
        return new ForStatement(line, target, items, test, isRecursive, _symbols.Slot("loop"))
        {
            Body = body,
            Otherwise = otherwise,
        };
    }

    Statement ParseSet(int line)
    {
        var target = ParseSetTarget();
        if (_tokens.SkipOperator("="))
            return new SetStatement(line, target, _expressions.ParseTuple());
        var filter = _tokens.SkipOperator("|") ? _expressions.ParseBlockFilter() : null;
        return new SetBlockStatement(line, target, filter, ParseIsolated("endset"));
    }

    Target ParseSetTarget()
    {
        if (_tokens.Current.Kind != TokenKind.Name || !_tokens.Peek.IsOperator("."))
            return ToTarget(_expressions.ParseTuple(simplified: true));
        var name = _expressions.ParseName();
        _tokens.ExpectOperator(".");
        return new NamespaceTarget(name.Name, name.Slot, StrValue.Template(_tokens.Expect(TokenKind.Name).Text));
    }

    Target ToTarget(Expression expression) => expression switch
    {
        NameExpression name => new NameTarget(name.Slot),
        SequenceExpression { Kind: SequenceKind.Tuple } tuple => new TupleTarget([.. tuple.Elements.Select(ToTarget)]),
        _ => throw _tokens.Fail("can't assign to this expression"),
    };

    WithStatement ParseWith(int line)
    {
        var assignments = new List<(Target, Expression)>();
        while (_tokens.Current.Kind != TokenKind.BlockEnd)
        {
            if (assignments.Count > 0)
                _tokens.ExpectOperator(",");
            var target = ToTarget(_expressions.ParsePrimary());
            _tokens.ExpectOperator("=");
            assignments.Add((target, _expressions.Parse()));
        }
        return new WithStatement(line, [.. assignments], ParseBlockAndDrop("endwith"));
    }

    MacroStatement ParseMacro(int line)
    {
        var name = _tokens.Expect(TokenKind.Name).Text;
        return new MacroStatement(line, _symbols.Slot(name), ParseMacroDefinition(name, "endmacro", ParseParameters));
    }

    CallBlockStatement ParseCall(int line)
    {
        CallExpression? call = null;
        var caller = ParseMacroDefinition("caller", "endcall", () =>
        {
            var parameters = _tokens.Current.IsOperator("(") ? ParseParameters() : [];
            call = _expressions.Parse() as CallExpression ?? throw _tokens.Fail("expected call");
            return parameters;
        });
        return new CallBlockStatement(line, caller, call!.Callee, call.Arguments);
    }

    Macro ParseMacroDefinition(string name, string endTag, Func<MacroParameter[]> header)
    {
        var outerNames = _expressions.NamesSeen;
        var parameters = header();
        _expressions.NamesSeen = [];
        var body = ParseIsolated(endTag);
        var names = _expressions.NamesSeen;
        outerNames?.UnionWith(names);
        _expressions.NamesSeen = outerNames;
        return new Macro(name, parameters, body)
        {
            Caller = Special("caller"),
            Varargs = Special("varargs"),
            Kwargs = Special("kwargs"),
        };

        int? Special(string special) =>
            names.Contains(special) && parameters.All(p => p.Name != special) ? _symbols.Slot(special) : null;
    }

    /// <summary>A body of its own: no break or continue reaches the loops around it.</summary>
    Block ParseIsolated(string endTag)
    {
        var loops = _loops;
        _loops = 0;
        var block = ParseBlockAndDrop(endTag);
        _loops = loops;
        return block;
    }

    MacroParameter[] ParseParameters()
    {
        var parameters = new List<MacroParameter>();
        _tokens.ExpectOperator("(");
        while (!_tokens.Current.IsOperator(")"))
        {
            if (parameters.Count > 0)
                _tokens.ExpectOperator(",");
            var name = _tokens.Expect(TokenKind.Name).Text;
            var value = _tokens.SkipOperator("=") ? _expressions.Parse() : null;
            if (value is null && parameters.Count > 0 && parameters[^1].Default is not null)
                throw _tokens.Fail("non-default argument follows default argument");
            parameters.Add(new MacroParameter(name, _symbols.Slot(name), value));
        }
        _tokens.ExpectOperator(")");
        return [.. parameters];
    }

    TemplateException FailUnknownTag(string tag)
    {
        _openTags.Pop();
        return UnknownTag(tag);
    }

    TemplateException UnknownTag(string? tag)
    {
        var reason = tag is null ? "Unexpected end of template." : $"Encountered unknown tag '{tag}'.";
        if (_awaitedTags.TryPeek(out var awaited))
        {
            var looking = string.Join(" or ", awaited.Select(name => $"'{name}'"));
            reason += tag is not null && _awaitedTags.Any(tags => tags.Contains(tag))
                ? $" You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for {looking}."
                : $" Jinja was looking for the following tags: {looking}.";
        }
        if (_openTags.TryPeek(out var open))
            reason += $" The innermost block that needs to be closed is '{open}'.";
        return _tokens.Fail(reason);
    }
}
