using Xunit;

namespace Hearth.Cluster.Tests.Rig;

/// <summary>A client that goes on with its conversation come what may: a turn without an answer is sent again with its key, and
/// what was acknowledged is kept.</summary>
public sealed class Talker(ClusterRig rig, string conversation, int gateway)
{
    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    readonly List<Reply> _replies = [];
    int _acknowledged;

    public int Acknowledged => Volatile.Read(ref _acknowledged);
    public string Conversation => conversation;

    /// <summary>Answers other than 200, and calls that broke.</summary>
    public List<string> Failures { get; } = [];

    public IReadOnlyList<Reply> Replies => _replies;

    public async Task TalkAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
            await TurnAsync(stop);
    }

    /// <summary>The turn in doubt is asked for again; then the transcript is as long as what this client knows.</summary>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        await TurnAsync(cancellationToken);
        var seen = await AnyClient().DescribeAsync(conversation, cancellationToken);
        Assert.Equal(Acknowledged, seen!["turns"]!.GetValue<int>());
        // Each prompt holds everything before it.
        Assert.All(_replies.Zip(_replies.Skip(1)), pair =>
            Assert.True(pair.Second.PromptTokens >= pair.First.PromptTokens + pair.First.ReplyTokens, $"{pair}"));
    }

    public async Task TurnAsync(CancellationToken stop)
    {
        while (true)
        {
            try
            {
                var answer = await AnyClient().TryChatAsync(
                    Turns.Brief(conversation, $"Please count to {3 + Acknowledged % 5}.", tokens: 16), stop, $"{conversation}-{Acknowledged}");
                if (answer.Reply is { } reply)
                {
                    _replies.Add(reply);
                    Interlocked.Increment(ref _acknowledged);
                    return;
                }
                lock (Failures)
                    Failures.Add($"{answer.Status}: {answer.Body}");
            }
            catch (HttpRequestException e)
            {
                lock (Failures)
                    Failures.Add(e.Message);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            await Task.Delay(Pause, TimeProvider.System, CancellationToken.None);
        }
    }

    GatewayClient AnyClient() => rig.Client(gateway % rig.Gateways.Count);
}
