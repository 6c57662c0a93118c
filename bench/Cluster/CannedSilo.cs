using System.Globalization;
using System.Net;
using System.Text.Json;
using Hearth.Actors.Membership;
using Hearth.Actors.Placement;
using Hearth.Actors.Transport;
using Hearth.Contracts;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hearth.Cluster.Bench;

/// <summary>A silo without an engine: it answers the turns of the conversations it owns with the same words, at a given
/// pace.</summary>
sealed class CannedSilo : IAsyncDisposable
{
    public const string Model = "canned";

    readonly SiloMember _member;
    readonly Func<string, string> _ownerOf;
    readonly byte[][] _events;
    readonly TimeSpan _pace;
    readonly TimeSpan _wait;
    PeerServer? _server;
    long _taken;
    long _sentOn;

    CannedSilo(IMembershipStore members, string name, string model, Func<string, string> ownerOf, int tokens, TimeSpan pace, TimeSpan wait)
    {
        Id = $"{name}/{SiloMember.NewGeneration()}";
        _member = new SiloMember(members, new MembershipOptions(), () => new SiloLoad { Models = [model], BlocksTotal = 1 },
            TimeProvider.System, NullLogger.Instance);
        (_ownerOf, _pace, _wait) = (ownerOf, pace, wait);
        _events = [.. Events(Id, tokens).Select(e => JsonSerializer.SerializeToUtf8Bytes(e, ContractsJson.Default.TurnEvent))];
    }

    public string Id { get; }
    public string Address => _server!.Address.ToString();

    /// <summary>Turns that came to their owner, and those that were sent on.</summary>
    public (long Taken, long SentOn) Turns => (Interlocked.Read(ref _taken), Interlocked.Read(ref _sentOn));

    /// <param name="ownerOf">Of a conversation; a turn of another's is sent on there. Null: every silo takes every turn.</param>
    /// <param name="wait">Before a turn's first event.</param>
    public static async Task<CannedSilo> StartAsync(IMembershipStore members, string name, Func<string, string>? ownerOf, int tokens,
        TimeSpan pace, TimeSpan wait = default, string model = Model)
    {
        CannedSilo? silo = null;
        silo = new CannedSilo(members, name, model, ownerOf ?? (_ => silo!.Id), tokens, pace, wait);
        silo._server = await PeerServer.StartAsync(
            new() { Listen = new(IPAddress.Loopback, 0), Identity = new PeerIdentity("bench") },
            new Dictionary<string, PeerHandler> { [PeerMethods.RunTurn] = silo.RunAsync });
        var card = new ModelCard
        {
            Name = model,
            Directory = "none",
            Family = "none",
            VocabularySize = 1000,
            ContextLength = 4096,
            Parameters = 1,
            EosTokens = [],
            Fingerprint = "none",
            Created = DateTimeOffset.UnixEpoch,
        };
        var description = JsonSerializer.Serialize(
            new SiloDescription(0, "none", "0", [card]), ContractsJson.Default.SiloDescription);
        await silo._member.JoinAsync(new SiloEntry(silo.Id, silo.Address, SiloStatus.Joining, description), default);
        await silo._member.SetStatusAsync(SiloStatus.Active, default);
        return silo;
    }

    public static IEnumerable<TurnEvent> Events(string silo, int tokens)
    {
        yield return new TurnStarted
        {
            Turn = new TurnId("turn"),
            Conversation = new ConversationId("conversation"),
            Silo = silo,
            Created = DateTimeOffset.UnixEpoch,
            Model = Model,
            PromptTokens = 20,
            CachedTokens = 10,
            Cache = CacheOrigin.Hit,
        };
        for (var i = 1; i <= tokens; i++)
        {
            yield return new TurnDelta
            {
                Sequence = i,
                Text = string.Create(CultureInfo.InvariantCulture, $" word{i}"),
                Tokens = [1000 + i],
            };
        }
        yield return new ChoiceFinished { Sequence = tokens + 1, Reason = FinishReason.Stop };
        yield return new TurnFinished { Sequence = tokens + 2, Usage = new Usage(20, tokens, 10) };
    }

    async Task RunAsync(PeerCall call, CancellationToken cancellationToken)
    {
        var asked = JsonSerializer.Deserialize(call.Request.Span, ContractsJson.Default.RunTurnCall)!;
        if (_ownerOf(asked.Turn.Conversation.Value) is var owner && owner != Id)
        {
            Interlocked.Increment(ref _sentOn);
            var moved = new TurnFailed { Failure = new TurnFailure(TurnError.Moved, "moved", Silo: owner) };
            await call.SendAsync(
                JsonSerializer.SerializeToUtf8Bytes<TurnEvent>(moved, ContractsJson.Default.TurnEvent), cancellationToken);
            return;
        }
        Interlocked.Increment(ref _taken);
        if (_wait > TimeSpan.Zero)
            await Task.Delay(_wait, TimeProvider.System, cancellationToken);
        foreach (var happened in _events)
        {
            await call.SendAsync(happened, cancellationToken);
            if (_pace > TimeSpan.Zero)
                await Task.Delay(_pace, TimeProvider.System, cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _member.LeaveAsync(default);
        await _member.DisposeAsync();
        await _server!.DisposeAsync();
    }
}
