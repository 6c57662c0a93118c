namespace Hearth.Text;

/// <summary>What a model is given for a text or a pair of texts; all lists are of one length.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="TypeIds">Which part each token belongs to, as BERT's segment embedding wants it.</param>
/// <param name="IsSpecial">Whether the tokenizer added the token by itself; also true of padding.</param>
/// <param name="Attention">Whether the model is to attend to the token; false for padding.</param>
public sealed record ModelInput(
    IReadOnlyList<int> Ids, IReadOnlyList<int> TypeIds, IReadOnlyList<bool> IsSpecial, IReadOnlyList<bool> Attention);
