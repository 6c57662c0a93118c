namespace Hearth.Actors.Transport;

/// <summary>The serving side of a call: runs the handler once the request is there.</summary>
sealed class ServedPeerCall(PeerConnection connection, uint id, string method, PeerHandler handler)
    : TcpPeerCall(connection, id, method), IThreadPoolWorkItem
{
    readonly CancellationTokenSource _stop = new();
    PeerBuffer? _request;

    public void Execute() => _ = HandleAsync();

    protected override bool HasRequest => _request is not null;

    protected override bool TakeRequest(PeerBuffer message)
    {
        if (HasRequest)
            return false;
        _request = message;
        return true;
    }

    protected override void Start() => Connection.StartHandler(this);

    // Not on this thread, which may be the connection's reader.
    protected override void OnBroken() => _ = _stop.CancelAsync();

    async Task HandleAsync()
    {
        try
        {
            await handler(this, _stop.Token);
            Finish();
        }
        catch (Exception e)
        {
            Break(PeerFault.Failed, e.Message, tell: true);
        }
        finally
        {
            await DisposeAsync();
            _request!.Dispose();
            Connection.HandlerEnded();
        }
    }
}
