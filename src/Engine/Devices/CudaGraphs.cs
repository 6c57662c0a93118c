using Hearth.Cuda;

namespace Hearth.Engine.Devices;

/// <summary>What a recorded step depends on.</summary>
/// <param name="Parts">That attention is cut in.</param>
/// <param name="Best">It ends with ids, not with logits.</param>
readonly record struct CudaStepKind(int Rows, int Parts, bool Best);

/// <summary>Decode steps as graphs. The first step of a kind runs as it is (which loads its kernels and chooses its algorithms),
/// the second is recorded, all others replay the recording: only the numbers in the step's memory differ.</summary>
sealed class CudaGraphs(CudaStream stream) : IDisposable
{
    readonly Dictionary<CudaStepKind, CudaGraph?> _known = [];
    CudaStepKind _kind;
    int _moves;
    CudaGraph? _replay;

    /// <summary>Whether the step's operations are in a recording already, so that they must not be queued.</summary>
    public bool IsReplaying => _replay is not null;

    /// <summary>Begins a step.</summary>
    /// <param name="kind">Null if it cannot be recorded.</param>
    /// <param name="moves">How often memory moved that recordings name.</param>
    public void Begin(CudaStepKind? kind, int moves)
    {
        stream.DropCapture();
        _replay = null;
        if (moves != _moves || _known.Count >= Limits.CudaGraphsMax)
            Forget();
        _moves = moves;
        if (kind is not { } known)
            return;
        _kind = known;
        if (!_known.TryGetValue(known, out _replay))
            _known.Add(known, null);
        else if (_replay is null)
            stream.BeginCapture();
    }

    /// <summary>Ends a step: what was recorded runs, or runs again.</summary>
    public void End()
    {
        if (stream.IsCapturing)
            _known[_kind] = _replay = stream.EndCapture();
        _replay?.Launch();
        _replay = null;
    }

    public void Dispose()
    {
        stream.DropCapture();
        Forget();
    }

    void Forget()
    {
        foreach (var graph in _known.Values)
            graph?.Dispose();
        _known.Clear();
    }
}
