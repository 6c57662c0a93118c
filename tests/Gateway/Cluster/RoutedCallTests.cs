using System.Text.Json;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Contracts;
using Xunit;

namespace Hearth.Gateway.Tests.Cluster;

/// <summary>What is asked of a cluster beside turns.</summary>
public sealed class RoutedCallTests
{
    static readonly ConversationId s_c = new("c");

    [Fact]
    public async Task AConversationIsDescribedByItsOwnerOrFromTheStore()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Own("c", "A");
        Assert.Equal("device", (await rig.Gateway.DescribeConversationAsync(TenantId.Local, s_c, ClusterRig.Stop))!.Tier);
        rig.Peers.Kill(ClusterRig.IdOf("A"));
        var asleep = (await rig.Gateway.DescribeConversationAsync(TenantId.Local, s_c, ClusterRig.Stop))!;
        Assert.Equal(("asleep", "disk", 7, 3), (asleep.State, asleep.Tier, asleep.CachedTokens, asleep.Turns));
        Assert.Single(await rig.Gateway.ListConversationsAsync(TenantId.Local, 10, ClusterRig.Stop));
        Assert.Null(await rig.Gateway.DescribeConversationAsync(new TenantId("other"), s_c, ClusterRig.Stop));
    }

    [Fact]
    public async Task TheOwnerMovesAConversationAndOneAsleepWakesAtItsTarget()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Own("c", "A");
        var moved = await rig.Gateway.MigrateConversationAsync(TenantId.Local, s_c, "B", ClusterRig.Stop);
        Assert.Equal("B/1", moved!.Silo);
        Assert.Single(rig.Silos["A"].Calls, c => c.Method == PeerMethods.MigrateConversation);

        rig.Directory.Locations[ClusterRig.Grain()] = new GrainLocation(null, "A/1");
        Assert.Equal("B/1", (await rig.Gateway.MigrateConversationAsync(TenantId.Local, s_c, "B/1", ClusterRig.Stop))!.Silo);
        Assert.Single(rig.Silos["B"].Calls, c => c.Method == PeerMethods.MigrateConversation);

        var refused = await Assert.ThrowsAsync<TurnFailedException>(async () =>
            await rig.Gateway.MigrateConversationAsync(TenantId.Local, s_c, "Z", ClusterRig.Stop));
        Assert.Equal((TurnError.InvalidRequest, "silo"), (refused.Failure.Error, refused.Failure.Param));
        Assert.Null(await rig.Gateway.MigrateConversationAsync(TenantId.Local, new("none"), "B", ClusterRig.Stop));
    }

    [Fact]
    public async Task DeletionIsWrittenFirstAndThenTold()
    {
        await using var rig = await ClusterRig.StartAsync("ABC");
        rig.Own("c", "A");
        rig.Directory.Locations[ClusterRig.Grain()] = new GrainLocation(new GrainOwner("A/1", 2, "a"), "B/1");
        rig.Peers.Kill(ClusterRig.IdOf("A"));
        Assert.True(await rig.Gateway.DeleteConversationAsync(TenantId.Local, s_c, ClusterRig.Stop));
        Assert.Equal(PeerMethods.ForgetConversation, Assert.Single(rig.Silos["B"].Calls).Method);
        Assert.False(await rig.Gateway.DeleteConversationAsync(TenantId.Local, s_c, ClusterRig.Stop));
    }

    /// <summary>INV-38: what a silo of another version says of itself.</summary>
    [Theory]
    [InlineData("not JSON")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"pid":1,"device":"cpu","version":"9","models":[{"name":"demo"}]}""")]
    public async Task ASiloWhoseDescriptionCannotBeReadServesNothingAndHarmsNobody(string description)
    {
        await using var rig = await ClusterRig.StartAsync("A");
        rig.Membership.Load = id => new() { Models = id == "Z/1" ? [] : [ScriptedCluster.Model], BlocksTotal = 64 };
        rig.Membership.Add("Z/1", description);
        await rig.LoadsAreKnownAsync();
        Assert.Equal([ScriptedCluster.Model], rig.Gateway.Models.Select(m => m.Name));
        ClusterRig.AssertWhole(await rig.RunAsync(ClusterRig.Turn()));
        var seen = await rig.Gateway.ListSilosAsync(ClusterRig.Stop);
        Assert.Empty(seen.Single(s => s.Id == "Z/1").Models);
    }

    /// <summary>INV-38: a newer silo may say more of itself.</summary>
    [Fact]
    public async Task WhatADescriptionSaysBeyondWhatIsKnownIsIgnored()
    {
        await using var rig = await ClusterRig.StartAsync("");
        var card = JsonSerializer.Serialize(ScriptedCluster.Card, ContractsJson.Default.ModelCard);
        rig.Membership.Add("Z/1", $$$"""{"pid":7,"device":"cpu","zone":"b","version":"9","models":[{{{card}}}],"later":{"a":[1]}}""");
        await rig.LoadsAreKnownAsync();
        Assert.Equal([ScriptedCluster.Model], rig.Gateway.Models.Select(m => m.Name));
        Assert.Equal(7, Assert.Single(await rig.Gateway.ListSilosAsync(ClusterRig.Stop)).Pid);
    }

    [Fact]
    public async Task ASiloIsDrainedByItsName()
    {
        await using var rig = await ClusterRig.StartAsync();
        Assert.True(await rig.Gateway.DrainSiloAsync("B", ClusterRig.Stop));
        Assert.Equal(PeerMethods.DrainSilo, Assert.Single(rig.Silos["B"].Calls).Method);
        Assert.False(await rig.Gateway.DrainSiloAsync("Z", ClusterRig.Stop));
    }

    [Fact]
    public async Task TextIsAskedOfAnySiloThatAnswers()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Peers.Kill(ClusterRig.IdOf("A"));
        for (var i = 0; i < 10; i++)
        {
            Assert.Equal(2, (await rig.Gateway.TokenizeAsync(ScriptedCluster.Model, "x", true, ClusterRig.Stop)).Length);
        }
        rig.Peers.Kill(ClusterRig.IdOf("B"));
        await Assert.ThrowsAsync<TurnFailedException>(async () =>
            await rig.Gateway.TokenizeAsync(ScriptedCluster.Model, "x", true, ClusterRig.Stop));
    }

    [Fact]
    public async Task AGatewayIsReadyWhileTheMembershipIsCurrentAndASiloServes()
    {
        await using var rig = await ClusterRig.StartAsync();
        await UntilAsync(() => rig.Gateway.Status.Ready);
        Assert.Equal(128, rig.Gateway.Status.Load.BlocksTotal);
        Assert.Equal(ScriptedCluster.Model, Assert.Single(rig.Gateway.Models).Name);
        rig.Membership.IsDown = true;
        await UntilAsync(() => !rig.Gateway.Status.Ready);
        Assert.Equal((true, TurnError.StoreUnavailable), (rig.Gateway.Status.Started, rig.Gateway.Status.Cause));
        rig.Membership.IsDown = false;
        await UntilAsync(() => rig.Gateway.Status.Ready);
        rig.Die("A");
        rig.Membership.Set(ClusterRig.IdOf("B"), SiloStatus.Draining);
        await UntilAsync(() => !rig.Gateway.Status.Ready);
        Assert.Equal(TurnError.ModelLoading, rig.Gateway.Status.Cause);
        Assert.Equal("draining", Assert.Single(await rig.Gateway.ListSilosAsync(ClusterRig.Stop)).Status);
    }

    static async Task UntilAsync(Func<bool> holds)
    {
        while (!holds())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, ClusterRig.Stop);
        }
    }
}
