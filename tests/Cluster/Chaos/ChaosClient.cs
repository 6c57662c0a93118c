using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Hearth.Cluster.Tests.Rig;
using Hearth.Tests.Shared;

namespace Hearth.Cluster.Tests.Chaos;

/// <summary>One conversation of a chaos run. A turn that broke is resumed from the last event seen or sent again, through any gateway,
/// until it is acknowledged; everything that is seen is written down.</summary>
public sealed class ChaosClient(ClusterRig rig, ClientHistory history, string conversation, int seed)
{
    const int TriesMax = 400;
    const int LeavesOneIn = 4;
    const int SeenBeforeLeavingMax = 40;
    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(150);
    static readonly string[] Openings =
        ["Hello! My name is Ada.", "Please count to twelve.", "Tell me about yourself.", "What is two plus two?", "Tell me a story."];

    readonly Random _random = new(seed);
    readonly List<string> _texts = [];
    HearthNode? _last;
    bool _left;

    public string Conversation => conversation;
    public int Seed => seed;
    public IReadOnlyList<string> Texts => _texts;

    /// <summary>Tries that did not end with the whole reply.</summary>
    public int Broken { get; private set; }
    public int Resumed { get; private set; }

    /// <summary>Whether it drops its connection now and then, to go on through another gateway.</summary>
    public bool Leaves { get; set; }
    public int Left { get; private set; }
    public TimeSpan Longest { get; private set; }

    /// <summary>The n-th request of this conversation: the same for every run of the seed.</summary>
    public static JsonObject BodyOf(string conversation, int seed, int turn)
    {
        var random = new Random(seed * 1000 + turn);
        var body = Turns.Seeded(conversation, 12 + random.Next(120), 1 + (seed * 131 + turn) % 1_000_000);
        body["messages"]![0]!["content"] = Openings[random.Next(Openings.Length)];
        return body;
    }

    public async Task TurnAsync(CancellationToken stop)
    {
        var turn = $"{conversation}-t{_texts.Count}";
        var body = BodyOf(conversation, seed, _texts.Count);
        var clock = TimeProvider.System;
        var begun = clock.GetTimestamp();
        var seen = new SeenEvents();
        for (var tries = 1; tries <= TriesMax; tries++)
        {
            if (await TryAsync(turn, body, seen, stop))
            {
                _texts.Add(seen.Text);
                var took = clock.GetElapsedTime(begun);
                Longest = took > Longest ? took : Longest;
                return;
            }
            if (_left)
                continue;
            Broken++;
            await Task.Delay(Pause, clock, stop);
        }
        throw new TimeoutException($"{turn} was tried {TriesMax} times in vain.");
    }

    /// <summary>Reads the conversation back.</summary>
    public async Task<int> ReadAsync(CancellationToken stop)
    {
        var gateway = _random.Next(rig.Gateways.Count);
        var begun = history.Now;
        var turns = (await rig.Client(gateway).DescribeAsync(conversation, stop))?["turns"]?.GetValue<int>() ?? 0;
        history.Read($"local/{conversation}", rig.Gateways[gateway].Name, begun, turns);
        return turns;
    }

    async Task<bool> TryAsync(string turn, JsonObject body, SeenEvents seen, CancellationToken stop)
    {
        var all = rig.Gateways;
        var others = _left && all.Count > 1 ? [.. all.Where(g => g != _last)] : all;
        var gateway = _last = others[_random.Next(others.Count)];
        // A client that saw something asks for the rest or for everything again: both must be the same turn.
        var resume = seen.LastWhole >= 0 && (_left || _random.Next(2) == 0);
        if (resume)
            seen.Resume();
        else
            seen.Clear();
        var stays = !Leaves || _random.Next(LeavesOneIn) > 0 ? int.MaxValue : _random.Next(1, SeenBeforeLeavingMax);
        _left = false;
        // Events that show nothing have no chunk in a chat's stream.
        var stream = history.Send(
            $"local/{conversation}", turn, body.ToJsonString(), gateway.Name, resume ? seen.LastWhole + 1 : 0, sparse: true);
        try
        {
            using var reply = resume
                ? await rig.Client(gateway).ResumeAsync(
                    conversation, turn, seen.LastWhole.ToString(CultureInfo.InvariantCulture), stop)
                : await rig.Client(gateway).StreamAsync((JsonObject)body.DeepClone(), stop, turn);
            Resumed += resume ? 1 : 0;
            reply.OnEvent = (id, kind, text) => seen.Add(id, text, whole => history.Event(stream, seen.LastWhole, kind, whole));
            _left = await reply.ReadAsync(stays, stop);
            Left += _left ? 1 : 0;
            var outcome = _left ? "left" : reply.IsDone ? "finished" : reply.Error is not null ? "failed" : "broken";
            history.End(stream, outcome, reply.Error, reply.IsDone ? seen.Text : null);
            return reply.IsDone;
        }
        catch (RefusedException e)
        {
            history.End(stream, "failed", e.Message);
            // A turn that is not known (any more) is not resumed but sent again.
            if (e.Status == 404)
                seen.Clear();
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            history.End(stream, "broken", e.Message);
        }
        return false;
    }
}

/// <summary>The text of a turn, as the ids of its stream's events name its parts: <c>7.0</c> is a part of event 7, and <c>7</c> its
/// last one. A part alone does not count: who resumes gets it again.</summary>
public sealed class SeenEvents
{
    readonly StringBuilder _text = new();
    readonly StringBuilder _part = new();

    public int LastWhole { get; private set; } = -1;
    public string Text => _text.ToString();

    public void Clear()
    {
        _text.Clear();
        _part.Clear();
        LastWhole = -1;
    }

    public void Add(string id, string text, Action<string> whole)
    {
        _part.Append(text);
        if (id.Contains('.', StringComparison.Ordinal))
            return;
        LastWhole = int.Parse(id, CultureInfo.InvariantCulture);
        whole(_part.ToString());
        _text.Append(_part);
        _part.Clear();
    }

    /// <summary>A stream begins after the last whole event.</summary>
    public void Resume() => _part.Clear();
}
