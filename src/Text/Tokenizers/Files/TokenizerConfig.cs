using System.Text.Json;

namespace Hearth.Text.Tokenizers;

/// <summary>
/// The added tokens that only <c>tokenizer_config.json</c> knows: those it lists under <c>added_tokens_decoder</c>, and those
/// it names as bos, eos and so on without tokenizer.json flagging them.
/// </summary>
static class TokenizerConfig
{
    static readonly string[] Names =
        ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    /// <summary>Adds what is missing to <paramref name="tokens"/>.</summary>
    internal static void Complete(List<AddedToken> tokens, JsonField config, Vocabulary vocabulary)
    {
        config.Expect(JsonValueKind.Object);
        var known = tokens.Select(token => token.Content).ToHashSet();
        var ids = tokens.Select(token => token.Id).ToHashSet();
        foreach (var token in Listed(config).Concat(Named(config, vocabulary)))
        {
            if (known.Add(token.Content) && ids.Add(token.Id))
            {
                tokens.Add(token);
            }
        }
    }

    static IEnumerable<AddedToken> Listed(JsonField config)
    {
        if (config["added_tokens_decoder"] is not { IsNull: false } list)
        {
            yield break;
        }

        foreach (var (name, item) in list.Members())
        {
            yield return int.TryParse(name, out var id) && id >= 0 && id < Limits.Tokenizer.TokensMax
                ? AddedToken.Read(item, id) : throw item.Error($"must be named by an id below {Limits.Tokenizer.TokensMax}");
        }
    }

    static IEnumerable<AddedToken> Named(JsonField config, Vocabulary vocabulary)
    {
        foreach (var name in Names)
        {
            var value = config[name];
            var content = value.Kind switch
            {
                JsonValueKind.String => value.Text(),
                JsonValueKind.Object => value["content"].Text(),
                _ => "",
            };
            if (!string.IsNullOrWhiteSpace(content) && vocabulary.IdOf(content) is { } id)
            {
                yield return new(id, content, false, false, false, Normalized: false, Special: true);
            }
        }
    }
}
