using System.Text.Json;

namespace Hearth.Text.Tokenizers;

/// <summary>A part of what the model is given: the ids of a text, or a special token.</summary>
/// <param name="Text">Which text, 0 or 1; null for a special token.</param>
readonly record struct TemplatePart(int? Text, int Id, int TypeId);

/// <summary>The file's <c>post_processor</c>: what stands around one text and around two, with the type of each token.</summary>
sealed class PostProcessor
{
    static readonly TemplatePart FirstText = new(0, 0, 0);
    bool _isSet;

    internal IReadOnlyList<TemplatePart> Single { get; private set; } = [FirstText];
    internal IReadOnlyList<TemplatePart> Pair { get; private set; } = [FirstText, new(1, 0, 1)];

    internal PostProcessor(JsonField field) => Steps.Flatten(field, "processors", Add);

    void Add(JsonField step)
    {
        var type = step["type"].Text();
        if (type == "ByteLevel")
        {
            return;
        }

        if (_isSet)
        {
            throw step["type"].Error("comes after another step that adds tokens; one is supported");
        }

        _isSet = true;
        (Single, Pair) = type switch
        {
            "TemplateProcessing" => (Template(step, "single", textsMax: 1), Template(step, "pair", textsMax: 2)),
            "BertProcessing" => Framed(step, separators: 1, secondType: 1),
            "RobertaProcessing" => Framed(step, separators: 2, secondType: 0),
            _ => throw step["type"].Error($"post-processor '{type}' is not supported"),
        };
    }

    static (List<TemplatePart> Single, List<TemplatePart> Pair) Framed(JsonField step, int separators, int secondType)
    {
        var start = new TemplatePart(null, IdOfPair(step["cls"]), 0);
        var end = new TemplatePart(null, IdOfPair(step["sep"]), 0);
        return ([start, FirstText, end], [start, FirstText, .. Enumerable.Repeat(end, separators),
            new(1, 0, secondType), end with { TypeId = secondType }]);
    }

    static List<TemplatePart> Template(JsonField step, string name, int textsMax)
    {
        var parts = new List<TemplatePart>();
        var texts = 0;
        var wanted = textsMax == 1 ? "sequence A" : "the sequences A and B";
        if (step[name].IsNull && textsMax == 2)
        {
            return [FirstText, new(1, 0, 1)];
        }

        foreach (var item in step[name].Items(Limits.Tokenizer.StepsMax))
        {
            if (item["SpecialToken"] is { IsNull: false } special)
            {
                var type = TypeOf(special);
                parts.AddRange(IdsOf(step, special).Select(id => new TemplatePart(null, id, type)));
            }
            else if (texts < textsMax && item["Sequence"]["id"].Text() == (texts == 0 ? "A" : "B"))
            {
                parts.Add(new(texts++, 0, TypeOf(item["Sequence"])));
            }
            else
            {
                throw item.Error($"must be a special token, or {wanted} once");
            }
        }

        return texts == textsMax ? parts : throw step[name].Error($"must hold {wanted}");
    }

    static int TypeOf(JsonField part) => part["type_id"].NumberOr(0, Limits.Tokenizer.TokensMax);

    static IEnumerable<int> IdsOf(JsonField step, JsonField special)
    {
        var name = special["id"].Text();
        var entry = step["special_tokens"][name];
        return entry.IsNull ? throw special["id"].Error($"'{name}' is not among special_tokens")
            : entry["ids"].Items(Limits.Tokenizer.StepsMax).Select(id => id.Number(Limits.Tokenizer.TokensMax - 1));
    }

    static int IdOfPair(JsonField pair)
    {
        pair.Expect(JsonValueKind.Array);
        return pair.Value.GetArrayLength() == 2 ? pair[1].Number(Limits.Tokenizer.TokensMax - 1)
            : throw pair.Error("must be [token, id]");
    }
}
