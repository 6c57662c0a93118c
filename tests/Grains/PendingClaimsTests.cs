using Hearth.Contracts;
using Xunit;

namespace Hearth.Grains.Tests;

public sealed class PendingClaimsTests
{
    /// <summary>A turn that came with a move runs in the engine already: another one before it would be a second sequence, from another
    /// history.</summary>
    [Fact]
    public async Task ATurnThatRanWhereTheConversationWasWaitsForNoPendingOne()
    {
        var claims = new PendingClaims([new TurnId("left")], TimeProvider.System);
        List<string> queued = [];
        var behind = claims.Claim(new TurnId("new"), runs: false, () => Queue("new"));
        Assert.True(await claims.Claim(new TurnId("moved"), runs: true, () => Queue("moved")));
        Assert.True(await claims.Claim(new TurnId("left"), runs: false, () => Queue("left")));
        Assert.True(await behind);
        Assert.Equal(["moved", "left", "new"], queued);

        Task<bool> Queue(string turn)
        {
            queued.Add(turn);
            return Task.FromResult(true);
        }
    }
}
