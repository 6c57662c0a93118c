using System.Text.Json;
using System.Text.Json.Serialization;
using Hearth.Actors;
using Hearth.Actors.Transport;
using Hearth.Contracts;

namespace Hearth.Grains.Caches;

/// <summary>Asks a silo for what its engine still holds of a conversation that it no longer owns.</summary>
/// <param name="Fingerprint">Of the model: no other one's cache is of use.</param>
/// <param name="First">The part's first token; null asks only how much there is.</param>
/// <param name="Drop">The cache is not needed there any more.</param>
sealed record PullCall(string Tenant, string Conversation, string Model, string Fingerprint, int? First = null,
    bool Drop = false);

/// <summary>The answer; for a part, its blob follows as the next message.</summary>
/// <param name="Held">Tokens from position 0.</param>
/// <param name="HasPart">Whether the blob follows.</param>
sealed record PullAnswer(int Held, bool HasPart = false);

/// <summary>A conversation's cache that another silo's engine still holds: read from there, part by part.</summary>
sealed class PulledSpill(CachePeer peer, ReadOnlyMemory<int> tokens, int chunkTokens) : ICacheSpill
{
    public ReadOnlyMemory<int> Tokens => tokens;
    public CacheOrigin Origin => CacheOrigin.Pulled;
    public string Source => $"silo {peer.Silo}";

    public async ValueTask<CacheChunk?> ReadAsync(int chunk, CancellationToken cancellationToken)
    {
        var first = chunk * chunkTokens;
        return await peer.ReadAsync(first, cancellationToken) is { } part
            ? new CacheChunk(first, Math.Min(chunkTokens, tokens.Length - first), part.Memory, part)
            : null;
    }
}

/// <summary>The silo that had a conversation before, as the keeper of its cache.</summary>
sealed class CachePeer(IPeerNetwork network, string silo, string address, GrainId grain, ModelCard model, TimeProvider time)
{
    readonly PullCall _ask = new(grain.Scope, grain.Name, model.Name, model.Fingerprint);

    public string Silo => silo;

    /// <returns>Tokens that it holds; 0 too if it does not answer in time.</returns>
    public async Task<int> CountAsync(CancellationToken cancellationToken) =>
        (await AskAsync(_ask, Limits.PullAsk, cancellationToken))?.Answer.Held ?? 0;

    /// <returns>Null if it is gone there, or the silo does not answer.</returns>
    public async Task<PeerMessage?> ReadAsync(int first, CancellationToken cancellationToken) =>
        (await AskAsync(_ask with { First = first }, Limits.PullPart, cancellationToken))?.Blob;

    /// <summary>Best effort: what stays is given up when room is needed.</summary>
    public Task DropAsync() => AskAsync(_ask with { Drop = true }, Limits.PullAsk, CancellationToken.None);

    async Task<(PullAnswer Answer, PeerMessage? Blob)?> AskAsync(
        PullCall ask, TimeSpan limit, CancellationToken cancellationToken)
    {
        try
        {
            await using var call = await network.OpenAsync(address, PeerMethods.PullCache,
                JsonSerializer.SerializeToUtf8Bytes(ask, PullJson.Default.PullCall),
                new PeerCallOptions { Deadline = limit, Bulk = ask.First is not null }, cancellationToken);
            using var timeout = new CancellationTokenSource(limit, time);
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
            using var message = await call.ReceiveAsync(stop.Token);
            if (message is not { } said
                || JsonSerializer.Deserialize(said.Memory.Span, PullJson.Default.PullAnswer) is not { } answer)
            {
                return null;
            }
            if (!answer.HasPart)
                return (answer, null);
            return (answer, await call.ReceiveAsync(stop.Token));
        }
        catch (Exception e) when (e is PeerException or JsonException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return null; // A cache is never worth a failed turn: it is read from the store, or computed.
        }
    }
}

/// <summary>Answers <see cref="PeerMethods.PullCache"/>.</summary>
sealed class CacheKeeper(GrainHost<ConversationGrain> host, ConversationServices services)
{
    public async Task HandleAsync(PeerCall call, CancellationToken cancellationToken)
    {
        var ask = JsonSerializer.Deserialize(call.Request.Span, PullJson.Default.PullCall)!;
        var grain = new GrainId(ask.Tenant, ask.Conversation);
        var cache = ConversationGrain.CacheOf(grain);
        // What is active here is not to be had.
        var engine = host.Find(grain) is null && services.Models.Find(ask.Model) is { } model
            && model.Card.Fingerprint == ask.Fingerprint ? model.Engine : null;
        if (ask.Drop && engine is not null)
            await engine.DropAsync(cache, cancellationToken);
        using var part = ask.First is { } first && engine is not null
            ? await engine.ExportAsync(cache, first, cancellationToken)
            : null;
        await call.SendAsync(JsonSerializer.SerializeToUtf8Bytes(
            new PullAnswer(engine?.DescribeCache(cache).Tokens ?? 0, part is not null), PullJson.Default.PullAnswer),
                cancellationToken);
        if (part is not null)
            await call.SendAsync(part.Blob, cancellationToken);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PullCall))]
[JsonSerializable(typeof(PullAnswer))]
sealed partial class PullJson : JsonSerializerContext;
