namespace Hearth.Engine.Memory;

/// <summary>Token ids that only grow.</summary>
sealed class TokenList
{
    int[] _tokens;

    public TokenList(ReadOnlySpan<int> tokens, int room)
    {
        _tokens = new int[tokens.Length + room];
        tokens.CopyTo(_tokens);
        Count = tokens.Length;
    }

    public int Count { get; private set; }
    public ReadOnlySpan<int> Span => _tokens.AsSpan(0, Count);

    /// <summary>The first ids, which stay as they are while the list grows: readable from any thread.</summary>
    public ReadOnlyMemory<int> Prefix(int count) => _tokens.AsMemory(0, count);

    public void Add(int token)
    {
        if (Count == _tokens.Length)
        {
            Array.Resize(ref _tokens, Math.Max(Count * 2, 16));
        }

        _tokens[Count++] = token;
    }
}
