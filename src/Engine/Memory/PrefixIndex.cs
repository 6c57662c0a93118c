using System.Runtime.InteropServices;

namespace Hearth.Engine.Memory;

/// <summary>Finds computed blocks by the tokens that led to them: a trie per scope whose nodes are the blocks themselves.
/// A child is looked up by the hash of its tokens and its tokens are compared, so a collision is a miss, never a wrong hit.
/// A holder of a block holds its parents too; so parents outlive children and an idle block has only idle children.</summary>
sealed class PrefixIndex
{
    readonly BlockPool _pool;
    readonly int _blockTokens;
    readonly int[] _tokens;
    readonly Node[] _nodes;
    readonly Dictionary<(int Parent, ulong Hash), int> _children;
    readonly Dictionary<string, int> _roots = new(StringComparer.Ordinal);
    readonly Stack<int> _rootsFree = new();

    public PrefixIndex(BlockPool pool, int blockTokens)
    {
        (_pool, _blockTokens) = (pool, blockTokens);
        _tokens = new int[pool.Total * blockTokens];
        _nodes = new Node[2 * pool.Total];
        _children = new(pool.Total);
        for (var root = 2 * pool.Total - 1; root >= pool.Total; root--)
        {
            _rootsFree.Push(root);
        }
    }

    public int Scopes => _roots.Count;

    /// <summary>Adds the full blocks that hold a prefix of the tokens to <paramref name="found"/>, without references.</summary>
    /// <returns>A block whose first positions go on with the tokens, and how many of them; (-1, 0) if none.</returns>
    public (int Block, int Tokens) Find(string scope, ReadOnlySpan<int> tokens, List<int> found)
    {
        if (!_roots.TryGetValue(scope, out var node))
        {
            return (-1, 0);
        }

        while (tokens.Length >= _blockTokens && Child(node, tokens[.._blockTokens]) is >= 0 and var child)
        {
            found.Add(child);
            node = child;
            tokens = tokens[_blockTokens..];
        }

        return BestPartial(node, tokens);
    }

    /// <summary>Makes a used block findable after <paramref name="parent"/> (-1: first of its scope).</summary>
    /// <returns>The block that stands for these tokens now: this one, or the one that was known before;
    /// -1 if it cannot be indexed.</returns>
    public int Add(string scope, int parent, ReadOnlySpan<int> tokens, int block)
    {
        var above = parent >= 0 ? parent : Root(scope);
        var key = (above, Hash(tokens));
        if (_children.TryGetValue(key, out var known))
        {
            return TokensOf(known).SequenceEqual(tokens) ? known : -1;
        }

        _children.Add(key, block);
        tokens.CopyTo(_tokens.AsSpan(block * _blockTokens));
        var next = _nodes[above].FirstChild;
        _nodes[block] = new Node { Parent = above, Scope = scope, Count = tokens.Length, NextSibling = next };
        _nodes[above].FirstChild = block + 1;
        if (next > 0)
        {
            _nodes[next - 1].PreviousSibling = block + 1;
        }

        _pool.MarkFindable(block);
        return block;
    }

    /// <summary>Forgets a block without children.</summary>
    public void Remove(int block)
    {
        ref var node = ref _nodes[block];
        if (node.FirstChild != 0)
        {
            throw new InvalidOperationException($"KV block {block} is forgotten before its children.");
        }

        _children.Remove((node.Parent, Hash(TokensOf(block))));
        if (node.PreviousSibling > 0)
        {
            _nodes[node.PreviousSibling - 1].NextSibling = node.NextSibling;
        }
        else
        {
            _nodes[node.Parent].FirstChild = node.NextSibling;
        }

        if (node.NextSibling > 0)
        {
            _nodes[node.NextSibling - 1].PreviousSibling = node.PreviousSibling;
        }

        if (node.Parent >= _pool.Total && _nodes[node.Parent].FirstChild == 0)
        {
            _roots.Remove(node.Scope);
            _rootsFree.Push(node.Parent);
        }

        node = default;
        _pool.MarkForgotten(block);
    }

    /// <summary>Forgets a block and what follows it; of a block with one holder, nobody holds that.</summary>
    public void RemoveTree(int block)
    {
        int leaf;
        do
        {
            leaf = LeafOf(block);
            Remove(leaf);
        }
        while (leaf != block);
    }

    /// <summary>A block that is not full, which only its holder goes on to write.</summary>
    public bool IsTail(int block) => _nodes[block].Count < _blockTokens;

    /// <summary>Frees the idle block that was let go first.</summary>
    public bool Reclaim()
    {
        var block = _pool.Oldest;
        if (block < 0)
        {
            return false;
        }

        Remove(LeafOf(block));
        return true;
    }

    int LeafOf(int block)
    {
        while (_nodes[block].FirstChild > 0)
        {
            block = _nodes[block].FirstChild - 1;
        }

        return block;
    }

    int Root(string scope)
    {
        if (!_roots.TryGetValue(scope, out var root))
        {
            root = _rootsFree.Pop();
            _roots.Add(scope, root);
            _nodes[root] = default;
        }

        return root;
    }

    int Child(int node, ReadOnlySpan<int> tokens) =>
        _children.TryGetValue((node, Hash(tokens)), out var child) && TokensOf(child).SequenceEqual(tokens) ? child : -1;

    (int Block, int Tokens) BestPartial(int node, ReadOnlySpan<int> tokens)
    {
        var (best, length) = (-1, 0);
        var child = _nodes[node].FirstChild;
        for (var seen = 0; child > 0 && seen < Limits.PartialCandidatesMax; seen++, child = _nodes[child - 1].NextSibling)
        {
            var common = TokensOf(child - 1).CommonPrefixLength(tokens);
            if (common > length)
            {
                (best, length) = (child - 1, common);
            }
        }

        return (best, length);
    }

    ReadOnlySpan<int> TokensOf(int block) => _tokens.AsSpan(block * _blockTokens, _nodes[block].Count);

    static ulong Hash(ReadOnlySpan<int> tokens)
    {
        // FNV-1a over the ids: it only has to spread, the tokens themselves are compared.
        var hash = 14695981039346656037UL;
        foreach (var token in MemoryMarshal.Cast<int, uint>(tokens))
        {
            hash = (hash ^ token) * 1099511628211UL;
        }

        return hash;
    }

    /// <summary>Links are index + 1, so that 0 means none.</summary>
    struct Node
    {
        public int Parent;
        public string Scope;
        public int Count;
        public int FirstChild;
        public int NextSibling;
        public int PreviousSibling;
    }
}
