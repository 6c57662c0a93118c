using Hearth.HistoryCheck;
using Xunit;

namespace Hearth.Simulation.Tests.History;

/// <summary>A checker that cannot fail proves nothing: each invariant is broken by hand, and must be found.</summary>
public sealed class HistoryCheckTests
{
    [Fact]
    public void ASoundHistoryHasNothingAgainstIt()
    {
        var verdicts = HandMade.Sound().Judge();
        Assert.All(verdicts, v => Assert.Empty(v.Violations));
        Assert.All(verdicts, v => Assert.True(v.Checked > 0, $"{v.Id} judged nothing"));
        var report = new StringWriter();
        Assert.True(Report.Write(report, verdicts));
        Assert.Contains("INV-26  ok", report.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Inv01AnEpochThatTwoActivationsHave() => HandMade.Sound().Grant("s1", 2, "c").Breaks("INV-01");

    [Fact]
    public void Inv01ACommitOfAnOlderEpochAfterANewerOnes() =>
        HandMade.Sound().Commit("s1", 1, "a", "t3", 4, 4, ["u3"], 5).Breaks("INV-01");

    [Fact]
    public void Inv02AFormerOwnerThatWrites()
    {
        HandMade.Sound().Begin("s1", 1, "a", "t3").Breaks("INV-02");
        HandMade.Sound().Call("s1", "publish", "published", [("epoch", 1), ("activation", "a")], []).Breaks("INV-02");
        HandMade.Sound().Call("s1", "release", "done", [("epoch", 2), ("activation", "a")], []).Breaks("INV-02");
    }

    [Fact]
    public void Inv05TwoTablesOfOneVersionAStepBackOrAReturnFromTheDead()
    {
        HandMade.Sound().View("s2", "i", 3, "s1", "dead").View("s1", "i", 3, "s1", "active").Breaks("INV-05");
        HandMade.Sound().View("s1", "i", 4, "s1", "active").View("s1", "i", 3, "s1", "active").Breaks("INV-05");
        HandMade.Sound().View("s1", "i", 3, "s1", "dead").View("s1", "i", 4, "s1", "active").Breaks("INV-05");
        HandMade.Sound().View("s1", "i", 3, "s1", "active", "s2", "active", "s3", "joining").Breaks("INV-05");
    }

    [Fact]
    public void Inv08OneActivationGrantedTwice()
    {
        HandMade.Sound().Grant("s2", 2, "b").Breaks("INV-08");
        HandMade.Sound().Grant("s1", 3, "b").Breaks("INV-08");
    }

    [Fact]
    public void Inv10AnAcknowledgedTurnThatIsGoneOrReadsOtherwise()
    {
        var lost = HandMade.Sound();
        lost.Acknowledge(lost.Send("t3"), "gone").Breaks("INV-10");
        var other = HandMade.Sound();
        other.Acknowledge(other.Send("t3"), "gone").Keep("t3", "committed", "here").Breaks("INV-10");
        var failed = HandMade.Sound();
        failed.Acknowledge(failed.Send("t3"), "gone").Keep("t3", "failed", "").Breaks("INV-10");
    }

    [Fact]
    public void Inv10ATurnLostWithTheStoresLastSecondIsToldOnlyWhereThatIsAllowed()
    {
        HandMade Lost()
        {
            var h = HandMade.Sound();
            return h.Acknowledge(h.Send("t3"), "gone").View("s1", "j", 1, "s1", "active");
        }
        Lost().Breaks("INV-10");
        var verdict = Lost().Judge(lostAfterRestart: 2).Single(v => v.Id == "INV-10");
        Assert.Empty(verdict.Violations);
        Assert.Single(verdict.Notes);
    }

    [Fact]
    public void Inv10ATurnThatAStoreLostWithEverythingIsToldAndOneThatItStillHadIsMissed()
    {
        HandMade Lost(int wholeUntil)
        {
            var h = HandMade.Sound();
            h.Commit("s2", 2, "b", "t3", 4, 4, ["u3"], 5);
            return h.Acknowledge(h.Send("t3"), "gone").Line("store", "rolled_back", ("whole_until", wholeUntil));
        }
        var verdict = Lost(0).Judge().Single(v => v.Id == "INV-10");
        Assert.Empty(verdict.Violations);
        Assert.Single(verdict.Notes);
        Lost(1000).Breaks("INV-10");
    }

    [Fact]
    public void Inv11ATurnThatNeverEndsOrIsHalfThere()
    {
        HandMade.Sound().Begin("s2", 2, "b", "t3").Keep("t3", "pending", "").Breaks("INV-11");
        HandMade.Sound().Commit("s2", 2, "b", "t3", 4, 4, ["u3", "r3"], 6).Keep("t3", "committed", "x", "u3").Breaks("INV-11");
        HandMade.Sound().Commit("s2", 2, "b", "t3", 4, 4, ["u3"], 5).Keep("t3", "cancelled", "", "u3").Breaks("INV-11");
        HandMade.Sound().Keep("t3", "failed", "", "from nowhere").Breaks("INV-11");
    }

    [Fact]
    public void Inv11ATurnWhoseEndWasLostWithTheStoreMayBePendingAlsoIfItsCommitHadToBeAskedForTwice()
    {
        var h = HandMade.Sound().Begin("s2", 2, "b", "t3");
        h.Commit("s2", 2, "b", "t3", 4, 4, ["u3"], 5, "unknown").Commit("s2", 2, "b", "t3", 4, 4, ["u3"], 5, "duplicate");
        var verdict = h.View("s1", "j", 1, "s1", "active").Keep("t3", "pending", "").Judge().Single(v => v.Id == "INV-11");
        Assert.Empty(verdict.Violations);
        Assert.Single(verdict.Notes);
    }

    [Fact]
    public void Inv12ATurnCommittedTwiceOrAnsweredTwice()
    {
        HandMade.Sound().Commit("s2", 2, "b", "t2", 4, 4, ["u2", "r2"], 6).Breaks("INV-12");
        var answers = HandMade.Sound();
        answers.Acknowledge(answers.Send("t2"), "other").Breaks("INV-12");
        var bodies = HandMade.Sound();
        bodies.Acknowledge(bodies.Send("t2", body: "other"), "fine").Breaks("INV-12");
        HandMade.Sound().Keep("t2", "committed", "fine").Breaks("INV-12");
    }

    [Fact]
    public void Inv13AGapABrokenOrderOrAReadOfThePast()
    {
        HandMade.Sound().Commit("s2", 2, "b", "t3", 9, 9, ["u3"], 10).Breaks("INV-13");
        HandMade.Sound().Line("c", "read", ("grain", HandMade.Grain), ("begun", 1_000_000), ("turns", 1)).Breaks("INV-13");
        var order = HandMade.Sound();
        order.Send("t3");
        order.Commit("s2", 2, "b", "t3", 2, 2, ["u3"], 3).Breaks("INV-13");
    }

    [Fact]
    public void Inv17AReplyThatIsNotTheUndisturbedOneOrIsMadeByTheFormerOwner()
    {
        HandMade.Sound().Baseline("t2", "other").Breaks("INV-17");
        HandMade.Sound()
            .Call("s2", "hand_over", "acquired",
                [("epoch", 2), ("activation", "b"), ("to_silo", "s1"), ("to_activation", "c"), ("turn", "t3")], [("granted", 3)])
            .Commit("s2", 2, "b", "t3", 4, 4, ["u3"], 5).Breaks("INV-17");
    }

    [Fact]
    public void Inv26AGapOrAnEventThatIsTwo()
    {
        var gap = HandMade.Sound();
        gap.Event(gap.Send("t1", from: 2), 3, "finished", "").Breaks("INV-26");
        var two = HandMade.Sound();
        two.Event(two.Send("t1", from: 2), 2, "delta", "LLO").Breaks("INV-26");
        var part = HandMade.Sound();
        part.Acknowledge(part.Send("t1", from: 4), "hell").Breaks("INV-26");
    }

    [Fact]
    public void Inv26WhereSomeEventsShowNothingAnEventThatIsMissedOrRepeatedOrGoneFromTheReply()
    {
        Assert.Empty(Sparse([(0, ""), (2, "hel")], 3, [(5, "lo")]).Judge().Single(v => v.Id == "INV-26").Violations);
        Sparse([(0, ""), (2, "hel"), (3, "l")], 3, [(5, "lo")]).Breaks("INV-26");
        Sparse([(0, ""), (2, "hel")], 3, [(2, "hel"), (5, "lo")]).Breaks("INV-26");
        Sparse([(0, ""), (2, "he")], 3, [(5, "lo")]).Breaks("INV-26");

        static HandMade Sparse((int, string)[] first, int from, (int, string)[] rest)
        {
            var h = HandMade.Sound();
            var begun = h.Send("t1", sparse: true);
            foreach (var (number, text) in first)
                h.Event(begun, number, "delta", text);
            var resumed = h.Send("t1", from, sparse: true);
            foreach (var (number, text) in rest)
                h.Event(resumed, number, "delta", text);
            return h.Acknowledge(resumed, "hello");
        }
    }

    [Fact]
    public void ALineCutOffByAKillIsPassedOverAndOneInTheMiddleIsNot()
    {
        const string whole = """{"ns":1,"process":"p","op":"view"}""";
        var history = new HistoryCheck.History([("f", [whole, whole[..^5]])]);
        Assert.Single(history.Others);
        var broken = Assert.Throws<FormatException>(() => new HistoryCheck.History([("f", [whole[..^5], whole])]));
        Assert.Contains("f:1", broken.Message, StringComparison.Ordinal);
    }
}
