using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Hearth.Actors.Membership;
using Hearth.Actors.Transport;
using Hearth.Contracts;

namespace Hearth.Gateway.Cluster;

/// <summary>Calls to silos that answer with one value.</summary>
static class PeerAsk
{
    public static ValueTask<ConversationAnswer> ConversationAsync(this IPeerNetwork network, SiloEntry silo, string method,
        ConversationCall call, TimeSpan deadline, CancellationToken cancellationToken) =>
        network.AskAsync(silo, method, JsonSerializer.SerializeToUtf8Bytes(call, ContractsJson.Default.ConversationCall),
            ContractsJson.Default.ConversationAnswer, deadline, cancellationToken);

    public static ValueTask<TextAnswer> TextAsync(this IPeerNetwork network, SiloEntry silo, string method, TextCall call,
        TimeSpan deadline, CancellationToken cancellationToken) =>
        network.AskAsync(silo, method, JsonSerializer.SerializeToUtf8Bytes(call, ContractsJson.Default.TextCall),
            ContractsJson.Default.TextAnswer, deadline, cancellationToken);

    public static ValueTask<DoneAnswer> DoneAsync(this IPeerNetwork network, SiloEntry silo, string method,
        ReadOnlyMemory<byte> request, TimeSpan deadline, CancellationToken cancellationToken) =>
        network.AskAsync(silo, method, request, ContractsJson.Default.DoneAnswer, deadline, cancellationToken);

    /// <exception cref="PeerException">The call failed.</exception>
    static async ValueTask<T> AskAsync<T>(this IPeerNetwork network, SiloEntry silo, string method, ReadOnlyMemory<byte> request,
        JsonTypeInfo<T> answer, TimeSpan deadline, CancellationToken cancellationToken)
        where T : class
    {
        var options = new PeerCallOptions { Deadline = deadline };
        await using var call = await network.OpenAsync(silo.Address, method, request, options, cancellationToken);
        if (await call.ReceiveAsync(cancellationToken) is { } message)
        {
            using (message)
            {
                return JsonSerializer.Deserialize(message.Memory.Span, answer) ?? throw Nothing();
            }
        }
        throw Nothing();

        PeerException Nothing() => new(PeerFault.Failed, $"{silo.Id} answered nothing to {method}.");
    }
}
