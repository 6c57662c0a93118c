namespace Hearth.Engine.Memory;

/// <summary>Who holds which KV block. A block is used (referenced), idle (referenced by nobody but findable as a prefix,
/// oldest first) or free; used + idle + free = total, always.</summary>
sealed class BlockPool
{
    readonly int[] _references;
    readonly bool[] _findable;
    readonly int[] _free;
    readonly int[] _older;
    readonly int[] _newer;
    int _oldest = -1;
    int _newest = -1;

    public BlockPool(int total)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(total, 1);
        _references = new int[total];
        _findable = new bool[total];
        _free = new int[total];
        _older = new int[total];
        _newer = new int[total];
        for (var i = 0; i < total; i++)
        {
            _free[i] = total - 1 - i;
        }

        Free = total;
    }

    public int Total => _references.Length;
    public int Free { get; private set; }
    public int Idle { get; private set; }
    public int Used => Total - Free - Idle;

    /// <summary>The idle block that was let go first; -1 if none.</summary>
    public int Oldest => _oldest;

    public int References(int block) => _references[block];

    public bool IsFindable(int block) => _findable[block];

    /// <summary>True when only its holder sees the block, so that it may be written anywhere.</summary>
    public bool IsPrivate(int block) => _references[block] == 1 && !_findable[block];

    /// <returns>A free block with one reference, or -1.</returns>
    public int Take()
    {
        if (Free == 0)
        {
            return -1;
        }

        var block = _free[--Free];
        _references[block] = 1;
        return block;
    }

    public void Share(int block)
    {
        if (_references[block]++ > 0)
        {
            return;
        }

        Check(_findable[block], "shared block was free", block);
        Unlink(block);
    }

    public void Release(int block)
    {
        Check(_references[block] > 0, "released block was not used", block);
        if (--_references[block] > 0)
        {
            return;
        }

        if (_findable[block])
        {
            Link(block);
        }
        else
        {
            _free[Free++] = block;
        }
    }

    /// <summary>The prefix index knows the block from now on.</summary>
    public void MarkFindable(int block)
    {
        Check(_references[block] > 0 && !_findable[block], "findable block must be used", block);
        _findable[block] = true;
    }

    /// <summary>The prefix index forgot the block: it is free if nobody holds it.</summary>
    public void MarkForgotten(int block)
    {
        Check(_findable[block], "forgotten block was not findable", block);
        _findable[block] = false;
        if (_references[block] == 0)
        {
            Unlink(block);
            _free[Free++] = block;
        }
    }

    /// <summary>Throws if the accounts do not add up. Cost: O(total).</summary>
    public void CheckIntegrity()
    {
        var seen = new bool[Total];
        for (var i = 0; i < Free; i++)
        {
            Check(!seen[_free[i]], "free twice", _free[i]);
            Check(_references[_free[i]] == 0 && !_findable[_free[i]], "free and used", _free[i]);
            seen[_free[i]] = true;
        }

        var idle = 0;
        for (int block = _oldest, before = -1; block >= 0; before = block, block = _newer[block])
        {
            Check(!seen[block] && _older[block] == before, "idle list broken", block);
            Check(_references[block] == 0 && _findable[block], "idle and used", block);
            seen[block] = true;
            idle++;
        }

        Check(idle == Idle, "idle count differs", -1);
        for (var block = 0; block < Total; block++)
        {
            Check(seen[block] == (_references[block] == 0), "lost block", block);
        }
    }

    void Link(int block)
    {
        _older[block] = _newest;
        _newer[block] = -1;
        if (_newest >= 0)
        {
            _newer[_newest] = block;
        }
        else
        {
            _oldest = block;
        }

        _newest = block;
        Idle++;
    }

    void Unlink(int block)
    {
        var (older, newer) = (_older[block], _newer[block]);
        if (older >= 0)
        {
            _newer[older] = newer;
        }
        else
        {
            _oldest = newer;
        }

        if (newer >= 0)
        {
            _older[newer] = older;
        }
        else
        {
            _newest = older;
        }

        Idle--;
    }

    static void Check(bool condition, string what, int block)
    {
        if (!condition)
        {
            throw new InvalidOperationException($"KV block {block}: {what}.");
        }
    }
}
