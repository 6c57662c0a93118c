using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Hearth.Cluster.Tests.Rig;

/// <summary>One real process of the cluster, with its output kept.</summary>
public sealed partial class HearthNode : IAsyncDisposable
{
    const int LinesKept = 5000;
    static readonly TimeSpan StartPatience = TimeSpan.FromMinutes(1);

    readonly Process _process;
    readonly LinkedList<string> _output = [];
    readonly TaskCompletionSource<string> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    HearthNode(string name, Process process) => (Name, _process) = (name, process);

    /// <summary>The name of the process, and of the silo in it.</summary>
    public string Name { get; }
    public int Pid => _process.Id;
    public bool Stopping { get; private set; }
    public bool HasExited => _process.HasExited;
    public int ExitCode => _process.ExitCode;

    /// <summary>The line that it wrote when it was ready.</summary>
    public Task<string> Ready => _ready.Task;

    public string Output
    {
        get
        {
            lock (_output)
                return string.Join('\n', _output);
        }
    }

    public static string Root { get; } = FindRoot();
    public static string Program { get; } = Path.Combine(Root, "artifacts", "bin", "Cli", "release", "hearth.dll");

    /// <param name="enter">Words before the command, such as of a network namespace.</param>
    public static HearthNode Start(string name, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null,
        IEnumerable<string>? enter = null)
    {
        if (!File.Exists(Program))
            throw new InvalidOperationException($"{Program} is missing: build Cluster.sln in Release first");
        string[] command = [.. enter ?? [], "dotnet", Program, .. arguments];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["NO_COLOR"] = "1";
        // Many short-lived processes on few cores: no time for second thoughts of the compiler.
        start.Environment["DOTNET_TieredPGO"] = "0";
        foreach (var (key, value) in environment ?? new Dictionary<string, string>())
            start.Environment[key] = value;
        var node = new HearthNode(name, new Process { StartInfo = start });
        node._process.OutputDataReceived += (_, line) => node.Keep(line.Data, ends: true);
        node._process.ErrorDataReceived += (_, line) => node.Keep(line.Data, ends: false);
        node._process.Start();
        node._process.BeginOutputReadLine();
        node._process.BeginErrorReadLine();
        return node;
    }

    /// <summary>Waits until it serves; what it wrote is in the exception if it never does.</summary>
    public async Task<HearthNode> ReadyAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Ready.WaitAsync(StartPatience, cancellationToken);
            return this;
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"{Name} was not ready within {StartPatience}:\n{Output}");
        }
    }

    /// <summary>Completes when the process has written a line with these words, also if it has already.</summary>
    public async Task WroteAsync(string words, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!Output.Contains(words, StringComparison.Ordinal))
            await timer.WaitForNextTickAsync(cancellationToken);
    }

    /// <summary>kill -9; it is gone on return.</summary>
    public void Kill()
    {
        Signal("KILL");
        _process.WaitForExit();
    }

    public void Pause() => Signal("STOP");
    public void Resume() => Signal("CONT");

    /// <summary>SIGTERM. What stands for a load balancer sends nothing more there.</summary>
    public void Terminate()
    {
        Stopping = true;
        Signal("TERM");
    }

    /// <summary>Waits for its end and gives the exit code.</summary>
    public async Task<int> EndAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        try
        {
            await _process.WaitForExitAsync(cancellationToken).WaitAsync(patience, cancellationToken);
            return _process.ExitCode;
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"{Name} did not end within {patience}:\n{Output}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }
        _process.Dispose();
    }

    /// <summary>The first address of this form in the ready line.</summary>
    public static string AddressIn(string line, string before) =>
        Regex.Match(line, before + @"\s*((?:http://)?[\d.]+:\d+)") is { Success: true } found
            ? found.Groups[1].Value
            : throw new InvalidOperationException($"no address after '{before}' in: {line}");

    void Signal(string name)
    {
        if (_process.HasExited)
            return;
        using var kill = Process.Start("sh", ["-c", string.Create(CultureInfo.InvariantCulture, $"kill -{name} {Pid}")]);
        kill.WaitForExit();
    }

    void Keep(string? line, bool ends)
    {
        if (line is null)
        {
            if (ends)
                _ready.TrySetException(new InvalidOperationException($"{Name} ended before it was ready:\n{Output}"));
            return;
        }
        lock (_output)
        {
            _output.AddLast(line);
            if (_output.Count > LinesKept)
                _output.RemoveFirst();
        }
        if (ReadyLine().IsMatch(line))
            _ready.TrySetResult(line);
    }

    static string FindRoot([CallerFilePath] string file = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", "..", ".."));

    [GeneratedRegex("^Ready in ")]
    private static partial Regex ReadyLine();
}
