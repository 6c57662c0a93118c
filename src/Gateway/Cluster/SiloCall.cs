using System.Diagnostics;
using System.Runtime.CompilerServices;
using Hearth.Actors.Membership;
using Hearth.Actors.Transport;

namespace Hearth.Gateway.Cluster;

/// <summary>A streaming call to one silo, which breaks when the silo is gone or says nothing for too long, however well its
/// connection looks. Disposing it aborts the call.</summary>
sealed class SiloCall : IAsyncDisposable
{
    readonly PeerCall _call;
    readonly CancellationToken _caller;
    readonly CancellationToken _life;
    readonly CancellationTokenSource _stop;
    readonly CancellationTokenRegistration _ofCaller;
    readonly CancellationTokenRegistration _ofLife;
    readonly TimeSpan _silence;
    readonly Activity? _span;

    SiloCall(PeerCall call, RelayParts parts, SiloEntry silo, Activity? span, CancellationToken caller)
    {
        _span = span;
        (_call, _caller, _life, _silence) = (call, caller, parts.Silos.LifeOf(silo), parts.Options.Silence);
        _stop = new CancellationTokenSource(_silence, parts.Time);
        _ofCaller = caller.UnsafeRegister(static stop => ((CancellationTokenSource)stop!).Cancel(), _stop);
        _ofLife = _life.UnsafeRegister(static stop => ((CancellationTokenSource)stop!).Cancel(), _stop);
    }

    /// <exception cref="PeerException">Unreachable.</exception>
    /// <param name="ask">The method and its request, made within the call's span.</param>
    public static async ValueTask<SiloCall> OpenAsync(RelayParts parts, SiloEntry silo,
        Func<(string Method, ReadOnlyMemory<byte> Request)> ask, CancellationToken cancellationToken)
    {
        var span = TurnTrace.Call(silo.Id, silo.Address);
        try
        {
            var (method, request) = ask();
            span?.DisplayName = $"peer {method}";
            var call = await parts.Network.OpenAsync(silo.Address, method, request, PeerCallOptions.Default, cancellationToken);
            return new SiloCall(call, parts, silo, span, cancellationToken);
        }
        catch (Exception e)
        {
            span?.SetStatus(ActivityStatusCode.Error, e.GetType().Name);
            span?.Dispose();
            throw;
        }
    }

    /// <exception cref="PeerException">Lost: also when the silo is dead; Deadline: it was silent for too long.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<PeerMessage?> ReceiveAsync()
    {
        try
        {
            var message = await _call.ReceiveAsync(_stop.Token);
            _stop.CancelAfter(_silence);
            return message;
        }
        catch (OperationCanceledException) when (!_caller.IsCancellationRequested)
        {
            _span?.SetStatus(ActivityStatusCode.Error);
            throw _life.IsCancellationRequested
                ? new PeerException(PeerFault.Lost, "The silo was declared dead.")
                : new PeerException(PeerFault.Deadline, $"The silo said nothing for {_silence.TotalSeconds} s.");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ofCaller.DisposeAsync();
        await _ofLife.DisposeAsync();
        await _call.DisposeAsync();
        _stop.Dispose();
        _span?.Dispose();
    }
}
