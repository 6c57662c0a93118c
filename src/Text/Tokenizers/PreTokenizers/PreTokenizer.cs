using System.Text;

namespace Hearth.Text.Tokenizers;

/// <summary>One step that cuts a stretch into the pieces within which the model merges.</summary>
abstract class PreTokenizer
{
    internal abstract void Apply(Stretch stretch);

    /// <summary>The steps of the file's <c>pre_tokenizer</c>, nested sequences laid flat.</summary>
    internal static List<PreTokenizer> ReadAll(JsonField field)
    {
        var steps = new List<PreTokenizer>();
        Steps.Flatten(field, "pretokenizers", item => steps.AddRange(Read(item)));
        return steps;
    }

    static IEnumerable<PreTokenizer> Read(JsonField field) => field["type"].Text() switch
    {
        "ByteLevel" => [new ByteLevelPreTokenizer(field)],
        "Metaspace" => [new MetaspacePreTokenizer(field)],
        "Split" => [new SplitPreTokenizer(
            Matcher.Read(field["pattern"]), Splitting.Read(field["behavior"]), field["invert"].Flag())],
        "Digits" => [new SplitPreTokenizer(new RuneMatcher(Rune.IsNumber),
            field["individual_digits"].Flag() ? SplitBehavior.Isolated : SplitBehavior.Contiguous)],
        "Punctuation" => [new SplitPreTokenizer(new RuneMatcher(CharacterKinds.IsPunctuation),
            field["behavior"].IsNull ? SplitBehavior.Isolated : Splitting.Read(field["behavior"]))],
        "Whitespace" => [new SplitPreTokenizer(new WordMatcher(), SplitBehavior.Removed, invert: true)],
        "WhitespaceSplit" => [new SplitPreTokenizer(new RuneMatcher(Rune.IsWhiteSpace), SplitBehavior.Removed)],
        "BertPreTokenizer" => [new SplitPreTokenizer(new RuneMatcher(Rune.IsWhiteSpace), SplitBehavior.Removed),
            new SplitPreTokenizer(new RuneMatcher(CharacterKinds.IsPunctuation), SplitBehavior.Isolated)],
        "CharDelimiterSplit" => [new SplitPreTokenizer(new LiteralMatcher(field["delimiter"]), SplitBehavior.Removed)],
        "FixedLength" => [new FixedLengthPreTokenizer(field["length"].NumberOr(5, Limits.Tokenizer.TokenCharactersMax))],
        var type => throw field["type"].Error($"pre-tokenizer '{type}' is not supported"),
    };
}

/// <summary>Cuts at the matches of a pattern.</summary>
sealed class SplitPreTokenizer(Matcher matcher, SplitBehavior behavior, bool invert = false) : PreTokenizer
{
    internal override void Apply(Stretch stretch)
    {
        var cuts = new List<Cut>();
        var matches = new List<Cut>();
        foreach (var piece in stretch.Cuts)
        {
            matches.Clear();
            matcher.Find(stretch[piece], matches);
            Splitting.Apply(piece, matches, behavior, invert, cuts);
        }

        stretch.Recut(cuts);
    }
}

/// <summary>GPT-2's step: splits with GPT-2's pattern and turns text into characters of the byte alphabet.</summary>
sealed class ByteLevelPreTokenizer : PreTokenizer
{
    static readonly SplitPreTokenizer Gpt2 = new(new Gpt2Matcher(), SplitBehavior.Isolated);
    readonly bool _addsPrefixSpace;
    readonly bool _splits;

    internal ByteLevelPreTokenizer(JsonField field)
    {
        _addsPrefixSpace = field["add_prefix_space"].Flag(whenAbsent: true);
        _splits = field["use_regex"].Flag(whenAbsent: true);
    }

    /// <summary>Off when this is the last step: the model then maps the bytes itself, and the text is not copied.</summary>
    internal bool MapsBytes { get; set; } = true;

    internal override void Apply(Stretch stretch)
    {
        if (_addsPrefixSpace && stretch.Cuts.Any(cut => stretch.Text[cut.Start] != ' '))
        {
            stretch.Rewrite((cut, output) =>
                output.Append(stretch.Text[cut.Start] == ' ' ? "" : " ").Append(stretch.Text, cut.Start, cut.Length));
        }

        if (_splits)
        {
            Gpt2.Apply(stretch);
        }

        if (MapsBytes)
        {
            stretch.Rewrite((cut, output) => ByteAlphabet.AppendMapped(stretch[cut], output));
        }
    }
}

/// <summary>SentencePiece's step: spaces become '▁', one is put in front, and (on request) each begins a piece.</summary>
sealed class MetaspacePreTokenizer : PreTokenizer
{
    readonly string _replacement;
    readonly string _scheme;
    readonly bool _splits;
    readonly SplitPreTokenizer _splitter;

    internal MetaspacePreTokenizer(JsonField field)
    {
        _replacement = field["replacement"].Text();
        if (_replacement.Length != 1)
        {
            throw field["replacement"].Error("must be one character");
        }

        // Older files say add_prefix_space instead of prepend_scheme.
        _scheme = field["prepend_scheme"].TextOr(field["add_prefix_space"].Flag(whenAbsent: true) ? "always" : "never");
        if (_scheme is not ("always" or "first" or "never"))
        {
            throw field["prepend_scheme"].Error($"'{_scheme}' is none of always, first, never");
        }

        _splits = field["split"].Flag(whenAbsent: true);
        _splitter = new(new LiteralMatcher(field["replacement"]), SplitBehavior.MergedWithNext);
    }

    internal override void Apply(Stretch stretch)
    {
        stretch.Rewrite((cut, output) =>
        {
            var start = output.Length;
            var first = stretch.Text[cut.Start];
            var wanted = _scheme == "always" || (_scheme == "first" && stretch.IsAtStart && cut.Start == 0);
            if (wanted && first != ' ' && first != _replacement[0])
            {
                output.Append(_replacement);
            }

            output.Append(stretch.Text, cut.Start, cut.Length).Replace(' ', _replacement[0], start, output.Length - start);
        });
        if (_splits)
        {
            _splitter.Apply(stretch);
        }
    }
}

/// <summary>Cuts into pieces of so many code points.</summary>
sealed class FixedLengthPreTokenizer(int length) : PreTokenizer
{
    internal override void Apply(Stretch stretch)
    {
        var cuts = new List<Cut>();
        foreach (var piece in stretch.Cuts)
        {
            int start = piece.Start, count = 0;
            for (var i = piece.Start; i < piece.End; i++)
            {
                if (!char.IsLowSurrogate(stretch.Text[i]) && count++ == Math.Max(length, 1))
                {
                    cuts.Add(new(start, i));
                    (start, count) = (i, 1);
                }
            }

            cuts.Add(new(start, piece.End));
        }

        stretch.Recut(cuts);
    }
}
