namespace Hearth.Text.Tokenizers;

/// <summary>A token that is found in the text before the model sees it.</summary>
/// <param name="SingleWord">Matches only where no word character stands on either side.</param>
/// <param name="StripLeft">Takes the white space before it along.</param>
/// <param name="StripRight">Takes the white space after it along.</param>
/// <param name="Normalized">Is looked for in the normalized text, in its own normalized form.</param>
/// <param name="Special">Is left out of decoded text on request.</param>
sealed record AddedToken(
    int Id, string Content, bool SingleWord, bool StripLeft, bool StripRight, bool Normalized, bool Special)
{
    /// <summary>
    /// Must never arise from user text. Some files leave role markers such as DeepSeek's <c>&lt;｜User｜&gt;</c> unflagged;
    /// their form gives them away.
    /// </summary>
    internal bool IsControl { get; } = Special
        || ((Content.StartsWith("<|", StringComparison.Ordinal) || Content.StartsWith("<｜", StringComparison.Ordinal))
            && (Content.EndsWith("|>", StringComparison.Ordinal) || Content.EndsWith("｜>", StringComparison.Ordinal)));

    internal static List<AddedToken> ReadAll(JsonField field)
    {
        var tokens = new List<AddedToken>();
        if (field.IsNull)
        {
            return tokens;
        }

        var contentOfId = new Dictionary<int, string>();
        foreach (var item in field.Items(Limits.Tokenizer.AddedTokensMax))
        {
            var token = Read(item, item["id"].Number(Limits.Tokenizer.TokensMax - 1));
            if (!contentOfId.TryAdd(token.Id, token.Content))
            {
                throw item["id"].Error($"{token.Id} is also the id of '{contentOfId[token.Id]}'");
            }

            tokens.Add(token);
        }

        return tokens;
    }

    internal static AddedToken Read(JsonField item, int id)
    {
        var content = item["content"].Text();
        if (string.IsNullOrWhiteSpace(content) && (content.Length == 0 || item["special"].Flag()))
        {
            throw item["content"].Error("a special token must not be empty or white space only");
        }

        return new(
            id,
            content,
            item["single_word"].Flag(),
            item["lstrip"].Flag(),
            item["rstrip"].Flag(),
            item["normalized"].Flag(),
            item["special"].Flag());
    }
}
