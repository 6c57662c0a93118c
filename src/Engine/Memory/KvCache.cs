using Hearth.Contracts;

namespace Hearth.Engine.Memory;

/// <summary>What is held for one token list: its blocks on the device, or a copy in host memory, or nothing yet.
/// Owned by the engine's thread; only <see cref="Info"/> may be read elsewhere.</summary>
sealed class KvCache(
    CacheId id, string scope, TokenList tokens, int tokenBytes, CacheKind kind = CacheKind.Dynamic, int reserved = 0)
{
    long _published;
    int _publishedGone;

    public CacheId Id => id;
    public string Scope => scope;

    public CacheKind Kind => kind;

    /// <summary>Tokens that it must have blocks for when it becomes active.</summary>
    public int Wanted => kind == CacheKind.Static ? Math.Max(tokens.Count, reserved) : tokens.Count;

    /// <summary>Whether it may take blocks of others, and others its own.</summary>
    public bool IsShared => IsExact && kind != CacheKind.None;

    /// <summary>Known tokens. Those before <see cref="Computed"/> have keys and values, the last sampled one never has.</summary>
    public TokenList Tokens => tokens;

    public int Computed { get; private set; }
    public BlockTable Blocks { get; private set; } = new();

    /// <summary>Leading blocks that the prefix index knows; -1 when it could not take one.</summary>
    public int Indexed { get; set; }

    /// <summary>False when any of it was restored from int8: nobody else may share it.</summary>
    public bool IsExact { get; set; } = true;

    /// <summary>Leading tokens whose blocks were given back, since no layer sees them any more: whole blocks.</summary>
    public int Gone { get; set; }

    /// <summary>Tokens of <see cref="Held"/> that are gone, wherever the others are.</summary>
    public int HeldGone => Host?.Gone ?? Gone;

    /// <summary>A copy of the first <see cref="HostCopy.Tokens"/> tokens; never beside blocks of an idle cache.</summary>
    public HostCopy? Host { get; private set; }

    /// <summary>Tokens that can be given out again without computing.</summary>
    public int Held => Host?.Tokens ?? Computed;

    public LinkedListNode<KvCache>? Place { get; set; }

    public CacheInfo Info
    {
        get
        {
            var published = Volatile.Read(ref _published);
            var held = (int)published;
            var bytes = Math.Max(0L, held - Volatile.Read(ref _publishedGone)) * tokenBytes;
            return new CacheInfo((CacheTier)(published >> 32), held, bytes);
        }
    }

    public void SetComputed(int count)
    {
        Computed = count;
        Publish();
    }

    /// <summary>Its blocks are gone; a copy took their place, or nothing.</summary>
    public void MoveTo(HostCopy? copy)
    {
        (Host, Computed) = (copy, 0);
        Publish();
    }

    public void ForgetHost()
    {
        Host = null;
        Publish();
    }

    /// <summary>Takes over another cache's blocks, which leaves it empty.</summary>
    public void Adopt(KvCache other)
    {
        (Blocks, other.Blocks) = (other.Blocks, Blocks);
        (Indexed, other.Indexed) = (other.Indexed, 0);
        (Gone, other.Gone) = (other.Gone, 0);
        IsExact &= other.IsExact;
        other.SetComputed(0);
    }

    void Publish()
    {
        var tier = Host is not null ? CacheTier.Host : Computed > 0 ? CacheTier.Device : CacheTier.None;
        Volatile.Write(ref _publishedGone, HeldGone);
        Volatile.Write(ref _published, ((long)tier << 32) | (uint)Held);
    }
}
