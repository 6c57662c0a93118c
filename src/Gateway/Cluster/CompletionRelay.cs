using System.Runtime.CompilerServices;
using System.Text.Json;
using Hearth.Actors.Membership;
using Hearth.Actors.Transport;
using Hearth.Contracts;

namespace Hearth.Gateway.Cluster;

/// <summary>Runs completions, which no silo owns: until the first event any other silo may take one over, after it a loss is
/// said.</summary>
sealed class CompletionRelay(RelayParts parts)
{
    public async IAsyncEnumerable<TurnEvent> RunAsync(
        CompletionTurn turn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        HashSet<string> except = [.. parts.Silos.Full(turn.Model)];
        var refused = except.Count == 0 ? null
            : new TurnFailure(TurnError.Overloaded, "No silo has room for another completion now.", null, Limits.RetryAfter);
        while (parts.Silos.Place(turn.Model, 0, except) is { } silo)
        {
            except.Add(silo.Id);
            var (call, first) = await BeginAsync(silo, turn, cancellationToken);
            await using var open = call;
            refused = (first as TurnFailed)?.Failure;
            if (refused?.Error == TurnError.Overloaded)
            {
                parts.Silos.WasFull(silo, turn.Model);
            }
            if (refused?.Error is TurnError.Draining or TurnError.Overloaded or TurnError.ModelLoading or TurnError.ModelNotFound
                or TurnError.Fenced)
            {
                continue;
            }
            for (var next = first; ; next = await NextAsync(call!, cancellationToken))
            {
                yield return next;
                if (next is TurnFinished or TurnFailed)
                {
                    yield break;
                }
            }
        }
        yield return new TurnFailed
        {
            Failure = refused
                ?? new TurnFailure(TurnError.ModelLoading, $"No silo serves {turn.Model} now.", "model", Limits.RetryAfter),
        };
    }

    /// <returns>The first event, a failure that lets another silo try if the silo was lost before it.</returns>
    async ValueTask<(SiloCall?, TurnEvent)> BeginAsync(
        SiloEntry silo, CompletionTurn turn, CancellationToken cancellationToken)
    {
        SiloCall? call = null;
        try
        {
            call = await SiloCall.OpenAsync(parts, silo, () => (PeerMethods.RunCompletion, JsonSerializer.SerializeToUtf8Bytes(
                turn with { Trace = TurnTrace.Current }, ContractsJson.Default.CompletionTurn)), cancellationToken);
            return (call, await ReceiveAsync(call));
        }
        catch (PeerException e) when (e.Fault is not (PeerFault.Deadline or PeerFault.Failed))
        {
            ClusterLog.Broken(parts.Logger, "completion", silo.Id, e.Fault, e.Message);
            parts.Metrics.Broke(e.Fault);
            parts.Silos.Watcher.Suspect(silo.Id);
            return (call, Failed(TurnError.Fenced, "The silo does not answer."));
        }
        catch (PeerException e)
        {
            return (call, Failed(e.Fault == PeerFault.Deadline ? TurnError.DeadlineExceeded : TurnError.Internal, e.Message));
        }
    }

    async ValueTask<TurnEvent> NextAsync(SiloCall call, CancellationToken cancellationToken)
    {
        try
        {
            return await ReceiveAsync(call);
        }
        catch (PeerException e)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ClusterLog.Broken(parts.Logger, "completion", "", e.Fault, e.Message);
            parts.Metrics.Broke(e.Fault);
            return Failed(TurnError.Fenced, "The silo of this completion was lost.");
        }
    }

    static async ValueTask<TurnEvent> ReceiveAsync(SiloCall call)
    {
        if (await call.ReceiveAsync() is not { } message)
        {
            throw new PeerException(PeerFault.Lost, "The silo ended the stream before the completion.");
        }
        using (message)
        {
            return EventReader.Read(message.Memory.Span);
        }
    }

    static TurnFailed Failed(TurnError error, string message) =>
        new() { Failure = new TurnFailure(error, message, null, Limits.RetryAfter) };
}
