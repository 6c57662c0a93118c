using System.Text.Json;

namespace Hearth.Text.Tokenizers;

/// <summary>The file's <c>post_processor</c>: the special tokens before and after a single text.</summary>
sealed class PostProcessor
{
    internal List<int> Prefix { get; } = [];
    internal List<int> Suffix { get; } = [];

    internal PostProcessor(JsonField field) => Steps.Flatten(field, "processors", Add);

    void Add(JsonField step)
    {
        switch (step["type"].Text())
        {
            case "ByteLevel":
                break;
            case "TemplateProcessing":
                AddTemplate(step);
                break;
            case "RobertaProcessing" or "BertProcessing":
                Prefix.Insert(0, IdOfPair(step["cls"]));
                Suffix.Add(IdOfPair(step["sep"]));
                break;
            case var type:
                throw step["type"].Error($"post-processor '{type}' is not supported yet");
        }
    }

    void AddTemplate(JsonField step)
    {
        var before = new List<int>();
        var after = new List<int>();
        var seen = false;
        foreach (var item in step["single"].Items(Limits.Tokenizer.StepsMax))
        {
            if (item["SpecialToken"] is { IsNull: false } special)
            {
                (seen ? after : before).AddRange(IdsOf(step, special));
            }
            else if (item["Sequence"]["id"].Text() == "A" && !seen)
            {
                seen = true;
            }
            else
            {
                throw item.Error("must be a special token, or sequence A once");
            }
        }

        Prefix.InsertRange(0, before);
        Suffix.AddRange(after);
    }

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
        return pair.Value.GetArrayLength() == 2 ? pair.Items(2).Last().Number(Limits.Tokenizer.TokensMax - 1)
            : throw pair.Error("must be [token, id]");
    }
}
