using Hearth.Engine.Memory;
using Hearth.Engine.Scheduling;
using Xunit;

namespace Hearth.Engine.Tests.Scheduling;

public class SchedulerTests
{
    long _order;

    [Fact]
    public void NeverExceedsTheBudgetWastesNoneAndServesEveryDecoder()
    {
        var random = new Random(5);
        for (var round = 0; round < 2000; round++)
        {
            var budget = random.Next(40, 200);
            var scheduler = new Scheduler(budget);
            var prompts = Enumerable.Range(0, random.Next(1, 24)).Select(_ => random.Next(3) == 0 ? 1 : random.Next(1, 300));
            var sequences = prompts.Select(prompt => Start(scheduler, prompt)).ToArray();
            var plan = scheduler.Plan().ToArray();
            Assert.Equal(Math.Min(budget, sequences.Sum(sequence => sequence.Remaining)), plan.Sum(slice => slice.Tokens));
            Assert.Equal(plan.Length, plan.Select(slice => slice.Sequence).Distinct().Count());
            Assert.All(plan, slice => Assert.InRange(slice.Tokens, 1, slice.Sequence.Remaining));
            var decoding = sequences.Where(sequence => sequence.Remaining == 1);
            Assert.All(decoding, sequence => Assert.Contains(new Slice(sequence, 1), plan));
        }
    }

    [Fact]
    public void ALongPromptMovesInEveryStepWhileShortOnesKeepComing()
    {
        var scheduler = new Scheduler(64);
        var @long = Start(scheduler, 2000);
        var steps = 0;
        for (; @long.Remaining > 1; steps++)
        {
            Start(scheduler, 48);
            Start(scheduler, 48);
            var before = @long.Cache.Computed;
            Run(scheduler);
            Assert.True(@long.Cache.Computed >= before + 16);
        }

        Assert.True(steps <= 2000 / 16);
    }

    [Fact]
    public void AShortPromptPassesALongOneInItsFirstStep()
    {
        var scheduler = new Scheduler(64);
        Start(scheduler, 100_000);
        Run(scheduler);
        var @short = Start(scheduler, 40);
        Run(scheduler);
        Assert.Equal(0, @short.Remaining);
    }

    [Fact]
    public void EveryPromptEndsUnderSteadyArrivals()
    {
        var random = new Random(9);
        var scheduler = new Scheduler(64);
        var all = new List<Sequence>();
        for (var step = 0; step < 600; step++)
        {
            if (step < 300 && step % 4 == 0)
            {
                all.Add(Start(scheduler, random.Next(10, 400)));
            }

            Run(scheduler);
        }

        Assert.All(all, sequence => Assert.True(sequence.Remaining <= 1));
    }

    [Fact]
    public void ThePreemptedComeBackInTheOrderOfTheirArrival()
    {
        var scheduler = new Scheduler(64);
        var (first, second, third) = (Start(scheduler, 5), Start(scheduler, 5), Start(scheduler, 5));
        Assert.Equal(third, scheduler.Victim());
        scheduler.Preempt(third);
        Assert.Equal(second, scheduler.Victim());
        scheduler.Preempt(second);
        Assert.Equal([second, third], scheduler.Waiting);
        Assert.Equal([first], scheduler.Running);
    }

    [Fact]
    public void TheNextIsThePreemptedThenTheTenantWithTheFewestThenTheFirstToCome()
    {
        var scheduler = new Scheduler(64);
        var running = Start(scheduler, 5, "flood");
        var flood = Enumerable.Range(0, 3).Select(_ => Enqueue(scheduler, 5, "flood")).ToArray();
        var others = Enumerable.Range(0, 2).Select(_ => Enqueue(scheduler, 5, "other")).ToArray();
        var preempted = Enqueue(scheduler, 5, "flood");
        preempted.IsAnnounced = true;
        foreach (var expected in new[] { preempted, others[0], flood[0], others[1], flood[1], flood[2] })
        {
            Assert.Equal(expected, scheduler.Next());
            scheduler.Start(expected, SequenceState.Running);
            if (expected == preempted)
            {
                scheduler.Finish(expected);
            }
        }

        Assert.Null(scheduler.Next());
        Assert.Equal(running, scheduler.Running[0]);
    }

    static void Run(Scheduler scheduler)
    {
        foreach (var (sequence, tokens) in scheduler.Plan())
        {
            sequence.Cache.SetComputed(sequence.Cache.Computed + tokens);
            if (sequence.Remaining == 0)
            {
                scheduler.Finish(sequence);
            }
        }
    }

    Sequence Start(Scheduler scheduler, int prompt, string scope = "tenant")
    {
        var sequence = Enqueue(scheduler, prompt, scope);
        scheduler.Start(sequence, SequenceState.Running);
        return sequence;
    }

    Sequence Enqueue(Scheduler scheduler, int prompt, string scope)
    {
        var request = Harness.Request("a", new int[prompt]);
        var cache = new KvCache(request.Cache, scope, new TokenList(request.Prompt.Span, 8), 8);
        var sequence = new Sequence(++_order, request, 1, cache, prompt + 8);
        scheduler.Enqueue(sequence);
        return sequence;
    }
}
