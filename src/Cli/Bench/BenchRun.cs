using System.Text.Json.Nodes;
using Hearth.Cli.Client;

namespace Hearth.Cli.Bench;

/// <summary>Chats with a server as its clients do: plain chat completions that resend their history.</summary>
sealed class BenchRun(ChatClient client, BenchOptions options, PromptText prompts, TimeProvider time)
{
    /// <summary>For each history length: a cold turn that brings the history, a warm one after it, and, where the server can
    /// spill on demand, one that resumes from the store.</summary>
    public async Task MeasureTurnsAsync(BenchReport report, Action<string> progress, CancellationToken cancellationToken)
    {
        await MeasureTurnsAsync(0, _ => { }, cancellationToken); // warms the server's code up; not counted
        for (var round = 0; round < options.Repeat; round++)
        {
            foreach (var history in options.History)
            {
                progress($"history {history}, round {round + 1} of {options.Repeat}");
                await MeasureTurnsAsync(history, report.Turns.Add, cancellationToken);
            }
        }
    }

    async Task MeasureTurnsAsync(int history, Action<TurnSample> add, CancellationToken cancellationToken)
    {
        var messages = new JsonArray();
        if (history > 0)
        {
            var cold = await TurnAsync(messages, prompts.OfTokens(history), maxTokens: 8, cancellationToken);
            add(Sample(history, "cold, with its history", cold));
        }
        var turn = await TurnAsync(messages, prompts.OfTokens(options.NewTokens), options.MaxTokens, cancellationToken);
        add(Sample(history, history == 0 ? "first" : "warm", turn));
        if (history > 0 && turn.Conversation is { } id && await client.SpillAsync(id, cancellationToken))
        {
            var resumed = await TurnAsync(messages, prompts.OfTokens(options.NewTokens), options.MaxTokens, cancellationToken);
            add(Sample(history, "resumed", resumed));
        }
    }

    /// <summary>Aggregate rate of so many chats at once, all started together.</summary>
    public async Task MeasureLoadAsync(BenchReport report, Action<string> progress, CancellationToken cancellationToken)
    {
        for (var round = 0; round < options.Repeat; round++)
        {
            foreach (var concurrency in options.Concurrency)
            {
                progress($"{concurrency} at once, round {round + 1} of {options.Repeat}");
                report.Load.Add(await MeasureLoadAsync(concurrency, cancellationToken));
            }
        }
    }

    async Task<LoadSample> MeasureLoadAsync(int concurrency, CancellationToken cancellationToken)
    {
        var texts = Enumerable.Range(0, concurrency).Select(_ => prompts.OfTokens(options.NewTokens)).ToList();
        var start = time.GetTimestamp();
        var turns = await Task.WhenAll(texts.Select(text => TryTurnAsync(text, cancellationToken)));
        var seconds = time.GetElapsedTime(start).TotalSeconds;
        var done = turns.OfType<TurnTiming>().ToList();
        return new LoadSample(
            concurrency, done.Sum(t => t.CompletionTokens) / seconds,
            BenchReport.Median(done.Select(t => t.FirstToken.TotalMilliseconds)), concurrency - done.Count);
    }

    async Task<TurnTiming?> TryTurnAsync(string text, CancellationToken cancellationToken)
    {
        try
        {
            return await TurnAsync([], text, options.MaxTokens, cancellationToken);
        }
        catch (CliException)
        {
            return null; // counted as failed
        }
    }

    async Task<TurnTiming> TurnAsync(JsonArray messages, string text, int maxTokens, CancellationToken cancellationToken)
    {
        messages.Add((JsonNode)new JsonObject { ["role"] = "user", ["content"] = text });
        var body = new JsonObject
        {
            ["model"] = options.Model,
            ["messages"] = messages.DeepClone(),
            ["temperature"] = 0,
            ["max_tokens"] = maxTokens,
            ["ignore_eos"] = true,
        };
        var timing = new TurnTiming(time);
        var reply = new System.Text.StringBuilder();
        await foreach (var part in client.ChatAsync(body, cancellationToken))
        {
            timing.Observe(part);
            reply.Append(part.Text);
        }
        messages.Add((JsonNode)new JsonObject { ["role"] = "assistant", ["content"] = reply.ToString() });
        return timing;
    }

    static TurnSample Sample(int history, string kind, TurnTiming turn) => new(
        history, kind, turn.Cache, turn.PromptTokens, turn.CachedTokens, turn.FirstToken.TotalMilliseconds, turn.TokensPerSecond);
}
