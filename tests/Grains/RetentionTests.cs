using Hearth.Actors;
using Hearth.Contracts;
using Xunit;
using static Hearth.Grains.Tests.Silo;

namespace Hearth.Grains.Tests;

/// <summary>A conversation that the store has given up, while a silo still has it in memory.</summary>
public sealed class RetentionTests
{
    [Fact]
    public async Task TheNextTurnOfAnExpiredConversationBeginsANewOne()
    {
        await using var silos = new Silos(2);
        foreach (var silo in silos.All)
            silo.Engine.Script = _ => [.. silo.Model.Tokenizer.EncodePlain("hello", false), silo.Engine.Model.EosTokens[0]];
        await silos.FollowAsync(Turn("t1", "first"), silos[0]);
        await silos.FollowAsync(Turn("t2", "second"), silos[0]);
        Assert.Equal(1, await silos.ExpireAllAsync());

        var events = await silos.FollowAsync(Turn("t3", "third"), silos[0]);
        Assert.IsType<TurnFinished>(events[^1]);
        var read = (await silos.Store.ReadAsync(new GrainId(TenantId.Local.Value, "c1"), Stop))!;
        // The third turn and its reply, and nothing of those before.
        Assert.Equal(2, read.Log.Count);
        Assert.Equal(1, read.Summary.Epoch);
        // What was done in the conversation that is gone may be done again.
        Assert.IsType<TurnFinished>((await silos.FollowAsync(Turn("t1", "first"), silos[1]))[^1]);
        Assert.Equal(4, (await silos.Store.ReadAsync(new GrainId(TenantId.Local.Value, "c1"), Stop))!.Log.Count);
    }
}
