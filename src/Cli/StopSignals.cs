using System.Runtime.InteropServices;

namespace Hearth.Cli;

/// <summary>SIGTERM and Ctrl-C: the first asks to stop, the second to hurry, and the third ends the process as it is.
/// The child of <c>hearth dev</c> stops when its parent lets go of its standard input, however that ended; Ctrl-C is the
/// parent's.</summary>
sealed class StopSignals : IDisposable
{
    /// <summary>Set in a process whose standard input is a line to its parent.</summary>
    public const string ParentVariable = "HEARTH_PARENT";

    readonly CancellationTokenSource _stop = new();
    readonly CancellationTokenSource _hurry = new();
    readonly bool _child = Environment.GetEnvironmentVariable(ParentVariable) == "1";
    readonly PosixSignalRegistration[] _registrations;
    int _asked;

    StopSignals()
    {
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, Take), PosixSignalRegistration.Create(PosixSignal.SIGINT, Take),
        ];
        if (_child)
            new Thread(WatchParent) { IsBackground = true, Name = "parent" }.Start();
    }

    /// <summary>The process' one.</summary>
    public static StopSignals Instance { get; } = new();

    public CancellationToken Stop => _stop.Token;
    public CancellationToken Hurry => _hurry.Token;

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
    }

    void Take(PosixSignalContext signal)
    {
        signal.Cancel = _child && signal.Signal == PosixSignal.SIGINT || Ask();
    }

    /// <returns>False when there was enough asking.</returns>
    bool Ask()
    {
        var times = Interlocked.Increment(ref _asked);
        if (times <= 2)
            (times == 1 ? _stop : _hurry).Cancel();
        return times <= 2;
    }

    void WatchParent()
    {
        using var input = Console.OpenStandardInput();
        Span<byte> nothing = stackalloc byte[64];
        while (input.Read(nothing) > 0)
        {
        }
        if (Volatile.Read(ref _asked) == 0)
            Ask();
    }
}
