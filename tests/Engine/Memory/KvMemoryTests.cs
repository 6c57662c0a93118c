using Hearth.Contracts;
using Hearth.Engine.Memory;
using Xunit;

namespace Hearth.Engine.Tests.Memory;

public class KvMemoryTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void AfterEveryRandomOperationTheAccountsAddUpAndEveryCachedTokenIsTheRightOne(int seed)
    {
        var random = new Random(seed);
        var kv = new FakeKv(48);
        var memory = new KvMemory(kv, seed == 3 ? 0 : 3000);
        var active = new List<KvCache>();
        for (var round = 0; round < 6000; round++)
        {
            switch (random.Next(6))
            {
                case 0 or 1 when active.Count < 5:
                    Admit(memory, kv, active, random);
                    break;
                case 2 or 3 when active.Count > 0:
                    Grow(memory, kv, active, random);
                    break;
                case 4 when active.Count > 0:
                    memory.Close(Pick(active, random), random.Next(3) > 0);
                    break;
                case 5 when random.Next(8) == 0:
                    memory.Drop(new CacheId($"c{random.Next(12)}"));
                    break;
            }

            memory.CheckIntegrity();
            Poison(memory, kv);
        }

        active.ForEach(cache => memory.Close(cache, false));
        Enumerable.Range(0, 12).ToList().ForEach(i => memory.Drop(new CacheId($"c{i}")));
        Assert.Equal((0, 0L), (memory.Pool.Used, memory.Host.BytesUsed));
    }

    [Fact]
    public void ReleasingTwiceIsFoundOut()
    {
        var pool = new BlockPool(4);
        var block = pool.Take();
        pool.Release(block);
        Assert.Throws<InvalidOperationException>(() => pool.Release(block));
    }

    [Fact]
    public void ThePrefixIndexComparesTokensAndKeepsScopesApart()
    {
        var pool = new BlockPool(4);
        var index = new PrefixIndex(pool, 4);
        var (first, second) = (pool.Take(), pool.Take());
        Assert.Equal(first, index.Add("a", -1, [1, 2, 3, 4], first));
        Assert.Equal(second, index.Add("a", first, [5, 6, 7, 8], second));
        var found = new List<int>();
        Assert.Equal((second, 2), index.Find("a", [1, 2, 3, 4, 5, 6, 9], found));
        Assert.Equal([first], found);
        found.Clear();
        Assert.Equal((-1, 0), index.Find("b", [1, 2, 3, 4], found));
        Assert.Empty(found);
        Assert.Equal(first, index.Add("a", -1, [1, 2, 3, 4], pool.Take()));
        Assert.Throws<InvalidOperationException>(() => index.Remove(first));
        index.Remove(second);
        index.Remove(first);
        Assert.Equal(0, index.Scopes);
    }

    static void Admit(KvMemory memory, FakeKv kv, List<KvCache> active, Random random)
    {
        var id = random.Next(12);
        if (active.Any(cache => cache.Id.Value == $"c{id}"))
        {
            return;
        }

        int[] Part(int longest) => Harness.Tokens(random.Next(3), random.Next(1, longest));
        int[] tokens = [.. Part(90), .. Part(30)];
        var cache = memory.Create(new CacheId($"c{id}"), $"scope {id % 2}", new TokenList(tokens, 0));
        if (memory.TryAdmit(cache, random.Next(4) > 0, 1, out var admission))
        {
            Assert.Equal(admission.Cached, cache.Computed);
            Assert.True(cache.Computed < tokens.Length);
            Check(kv, cache);
            active.Add(cache);
        }
    }

    static void Grow(KvMemory memory, FakeKv kv, List<KvCache> active, Random random)
    {
        var cache = active[random.Next(active.Count)];
        if (cache.Computed == cache.Tokens.Count)
        {
            cache.Tokens.Add(random.Next(3));
        }

        if (!memory.TryGrow(cache, cache.Tokens.Count))
        {
            var victim = Pick(active, random);
            memory.Suspend(victim);
            if (!memory.TryAdmit(victim, true, 0, out _))
            {
                memory.Close(victim, true);
                return;
            }

            Check(kv, victim);
            active.Add(victim);
            return;
        }

        var end = random.Next(cache.Computed, cache.Tokens.Count) + 1;
        for (var p = cache.Computed; p < end; p++)
        {
            kv.At(cache.Blocks.Span, p) = FakeKv.Next(p == 0 ? 0 : kv.At(cache.Blocks.Span, p - 1), cache.Tokens.Span[p]);
        }

        memory.Advance(cache, end);
        Check(kv, cache);
    }

    static void Check(FakeKv kv, KvCache cache)
    {
        var expected = 0UL;
        for (var p = 0; p < cache.Computed; p++)
        {
            expected = FakeKv.Next(expected, cache.Tokens.Span[p]);
            Assert.Equal(expected, kv.At(cache.Blocks.Span, p));
        }
    }

    static void Poison(KvMemory memory, FakeKv kv)
    {
        for (var block = 0; block < kv.Count; block++)
        {
            if (memory.Pool.References(block) == 0 && !memory.Pool.IsFindable(block))
            {
                kv.Fill(block, FakeKv.Poison);
            }
        }
    }

    static KvCache Pick(List<KvCache> active, Random random)
    {
        var cache = active[random.Next(active.Count)];
        active.Remove(cache);
        return cache;
    }
}
