using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Hearth.Cli.Dev;

/// <summary>A process of <c>hearth dev</c>: its lines come out with its name before them, and it ends when its standard input
/// does.</summary>
sealed partial class DevChild : IDisposable
{
    readonly Process _process;
    readonly TaskCompletionSource<string> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    DevChild(string name, Process process) => (Name, _process) = (name, process);

    public string Name { get; }

    /// <summary>The line that it wrote when it was ready; fails if it ends before.</summary>
    public Task<string> Ready => _ready.Task;
    public int ExitCode => _process.ExitCode;

    /// <summary>A verb of this program.</summary>
    public static DevChild Hearth(string name, IEnumerable<string> arguments, Action<string, string> write)
    {
        var self = Environment.ProcessPath!;
        var assembly = Path.Combine(AppContext.BaseDirectory, "hearth.dll");
        var hosted = Path.GetFileNameWithoutExtension(self) == "dotnet";
        return Start(name, self, [.. hosted ? [assembly] : Array.Empty<string>(), .. arguments], write);
    }

    /// <summary>Another program, which knows nothing of us: a shell ends it with our standard input, and keeps Ctrl-C from
    /// it.</summary>
    public static DevChild Foreign(string name, string program, IEnumerable<string> arguments, Action<string, string> write)
    {
        const string script = "trap '' INT; \"$@\" & child=$!; cat >/dev/null; kill $child; wait $child";
        string[] shell = ["sh", "-c", script, "sh", program, .. arguments];
        // In a session of its own it is out of reach of whatever ends this process' group.
        return File.Exists("/usr/bin/setsid")
            ? Start(name, "/usr/bin/setsid", shell, write)
            : Start(name, shell[0], shell[1..], write);
    }

    public Task EndedAsync(CancellationToken cancellationToken) => _process.WaitForExitAsync(cancellationToken);

    /// <summary>Asks it to end.</summary>
    public void Stop() => _process.StandardInput.Close();

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }

    static DevChild Start(string name, string program, IEnumerable<string> arguments, Action<string, string> write)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment[StopSignals.ParentVariable] = "1";
        var child = new DevChild(name, new Process { StartInfo = start });
        child._process.OutputDataReceived += (_, line) => child.Take(line.Data, write);
        child._process.ErrorDataReceived += (_, line) => child.Show(line.Data, write);
        child._process.Start();
        child._process.BeginOutputReadLine();
        child._process.BeginErrorReadLine();
        return child;
    }

    void Take(string? line, Action<string, string> write)
    {
        if (line is null)
            _ready.TrySetException(new CliException($"{Name} ended before it was ready: see above.", ExitCodes.Failure));
        else if (ReadyLine().IsMatch(line))
            _ready.TrySetResult(line);
        Show(line, write);
    }

    void Show(string? line, Action<string, string> write)
    {
        if (line is not null)
            write(Name, line);
    }

    [GeneratedRegex("^Ready (in|to accept)|Ready to accept connections")]
    private static partial Regex ReadyLine();
}
