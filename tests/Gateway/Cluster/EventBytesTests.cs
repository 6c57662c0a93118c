using System.Text;
using System.Text.Json;
using Hearth.Actors.Transport;
using Hearth.Contracts;
using Hearth.Gateway.Cluster;
using Xunit;

namespace Hearth.Gateway.Tests.Cluster;

/// <summary>Events as bytes: read by hand and kept for the next silo.</summary>
public sealed class EventBytesTests
{
    static byte[] Bytes(TurnEvent happened) => JsonSerializer.SerializeToUtf8Bytes(happened, ContractsJson.Default.TurnEvent);

    static string Text(TurnEvent happened) => Encoding.UTF8.GetString(Bytes(happened));

    [Fact]
    public void EveryEventIsReadAsItWasWritten()
    {
        TurnEvent[] events =
        [
            ScriptedCluster.Started(),
            new TurnDelta { Sequence = 3, Text = "é\"\\\n😀\u2028", Choice = 2 },
            new TurnDelta { Sequence = 4, Text = "" },
            new TurnDelta { Sequence = 5, Text = "x", Logprobs = [new TokenLogprob("x", [120], -1, [])] },
            new ChoiceFinished { Sequence = 6, Choice = 1, Reason = FinishReason.Length, Tokens = [1, 2] },
            new TurnFinished { Sequence = 7, Usage = new Usage(1, 2, 3), Replayed = true },
            new TurnFailed { Sequence = 8, Failure = new TurnFailure(TurnError.Moved, "m", Silo: "s/1") },
        ];
        Assert.All(events, happened => Assert.Equal(Text(happened), Text(EventReader.Read(Bytes(happened)))));

        var withTokens = (TurnDelta)EventReader.Read(Bytes(new TurnDelta { Sequence = 9, Text = "y", Tokens = [7, 8] }));
        Assert.Equal((9, "y", 0), (withTokens.Sequence, withTokens.Text, withTokens.Tokens.Count));
    }

    [Theory]
    [InlineData("""{"sequence":4,"text":"late","event":"delta"}""", 4)]
    [InlineData("""{"event":"delta","text":"more","from_the_future":{"a":[1]},"sequence":5}""", 5)]
    public void OtherWaysToWriteADeltaAreReadToo(string json, int sequence) =>
        Assert.Equal(sequence, Assert.IsType<TurnDelta>(EventReader.Read(Encoding.UTF8.GetBytes(json))).Sequence);

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("""{"event":"delta"}""")]
    [InlineData("""{"event":"delta","text":7}""")]
    [InlineData("""{"event":"delta","text":"x","sequence":"1"}""")]
    [InlineData("""{"event":"delta","text":"x","sequence":1""")]
    [InlineData("""{"event":"rumour","text":"x"}""")]
    public void WhatIsNoEventIsTheSilosFault(string json) =>
        Assert.Equal(PeerFault.Failed, Assert.Throws<PeerException>(() => EventReader.Read(Encoding.UTF8.GetBytes(json))).Fault);

    [Fact]
    public void ShownEventsReachTheNextSiloUnchanged()
    {
        var random = new Random(5);
        var shown = new ShownEvents();
        var events = new List<TurnEvent>();
        var turn = ClusterRig.Turn();
        for (var i = 0; i < 600; i++)
        {
            var call = JsonSerializer.Deserialize(shown.Call(turn, false).Span, ContractsJson.Default.RunTurnCall)!;
            Assert.Equal(i, call.FromEvent);
            Assert.Equal(string.Join(',', events.Select(Text)), string.Join(',', call.Shown.Select(Text)));
            Assert.Equal(turn.Conversation, call.Turn.Conversation);
            events.Add(new TurnDelta { Sequence = i, Text = new string('x', random.Next(random.Next(300))), Tokens = [i] });
            shown.Add(Bytes(events[^1]));
        }
    }

    [Fact]
    public void MoreEventsThanAreKeptAreOnlyCounted()
    {
        var shown = new ShownEvents();
        var large = new byte[1 << 20];
        for (var i = 0; i < 40; i++)
        {
            shown.Add(large);
        }
        Assert.Equal((40, false), (shown.Count, shown.IsWhole));
    }
}
