using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Xunit;

namespace Hearth.Tests.Shared;

/// <summary>A real redis-server on a free port with a directory of its own, for a test to pause, kill, fill and roll back.
/// Without one installed the test is skipped.</summary>
public sealed class RedisServer : IDisposable
{
    readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("hearth-redis-");
    readonly string[] _options;
    readonly bool _cluster;
    Process? _process;
    TaskCompletionSource _listening = new();
    TaskCompletionSource _ready = new();

    RedisServer(bool cluster, string[] options) => (_cluster, _options, Port) = (cluster, options, FreePort());

    public int Port { get; }
    public string Address => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}");

    public string DirectoryPath => _directory.FullName;

    /// <summary>The append-only file that a restart reads.</summary>
    public string LogPath => Directory.GetFiles(_directory.FullName, "*.incr.aof", SearchOption.AllDirectories).Single();

    static string? Program { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(d => Path.Combine(d, "redis-server")).FirstOrDefault(File.Exists);

    /// <param name="options">Lines of redis.conf, such as <c>--requirepass</c>, <c>secret</c>.</param>
    public static RedisServer Start(params string[] options) => Start(false, options);

    /// <summary>Of a Redis Cluster with this many masters, all slots served.</summary>
    public static RedisServer[] StartCluster(int masters)
    {
        var servers = Enumerable.Range(0, masters).Select(_ => Start(true, [])).ToArray();
        for (var i = 0; i < masters; i++)
        {
            servers[i].Ask("CLUSTER", "ADDSLOTSRANGE",
                Text(16384 * i / masters), Text((16384 * (i + 1) / masters) - 1));
            servers[i].Ask("CLUSTER", "MEET", "127.0.0.1", Text(servers[0].Port));
        }
        foreach (var server in servers)
        {
            var deadline = Stopwatch.StartNew();
            while (!server.Ask("CLUSTER", "INFO").Contains("cluster_state:ok", StringComparison.Ordinal)
                || server.Ask("CLUSTER", "NODES").Split("connected", StringSplitOptions.None).Length <= masters)
            {
                Assert.True(deadline.Elapsed < TimeSpan.FromSeconds(30), "the cluster did not come together");
                Thread.Yield();
            }
        }
        return servers;
    }

    /// <summary>Starts it again after a kill, on what its disk holds. Returns when it listens, maybe before it has loaded.</summary>
    public Task RunAsync(params string[] options)
    {
        _listening = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        string[] all =
        [
            "--port", Text(Port), "--bind", "127.0.0.1", "--dir", _directory.FullName, "--save", "", "--appendonly", "yes",
            "--cluster-enabled", _cluster ? "yes" : "no", .. _options, .. options,
        ];
        var process = Process.Start(new ProcessStartInfo(Program!, all) { RedirectStandardOutput = true })!;
        _process = process;
        var (listening, ready) = (_listening, _ready);
        process.OutputDataReceived += (_, e) =>
        {
            if (e.Data is null)
            {
                var ended = new InvalidOperationException("redis-server ended before it was ready.");
                _ = listening.TrySetException(ended) | ready.TrySetException(ended);
            }
            else if (e.Data.Contains("Server initialized", StringComparison.Ordinal))
            {
                listening.TrySetResult();
            }
            else if (e.Data.Contains("Ready to accept connections", StringComparison.Ordinal))
            {
                ready.TrySetResult();
            }
        };
        process.BeginOutputReadLine();
        return listening.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    public Task ReadyAsync() => _ready.Task.WaitAsync(TimeSpan.FromSeconds(30));

    public async Task RestartAsync(params string[] options)
    {
        Kill();
        await RunAsync(options);
        await ReadyAsync();
    }

    public void Kill()
    {
        if (_process is null)
            return;
        _process.Kill();
        // With a limit: without one it would also wait for the end of the output, which a child of the server may hold open.
        Assert.True(_process.WaitForExit(30_000), "redis-server did not end");
        _process.Dispose();
        _process = null;
    }

    /// <summary>It keeps its connections and answers nothing.</summary>
    public void Pause() => Signal("STOP");

    public void Resume() => Signal("CONT");

    /// <summary>What a machine that lost its power may leave: the log without its end.</summary>
    public void CutLog(long length)
    {
        using var log = new FileStream(LogPath, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        log.SetLength(length);
    }

    /// <summary>One command over a connection of its own; lists come as lines, errors with their first word.</summary>
    public string Ask(params string[] words)
    {
        using var client = new TcpClient(AddressFamily.InterNetwork) { ReceiveTimeout = 30_000 };
        client.Connect(IPAddress.Loopback, Port);
        using var stream = client.GetStream();
        var password = Array.IndexOf(_options, "--requirepass");
        if (password >= 0)
            Exchange(stream, ["AUTH", _options[password + 1]]);
        return Exchange(stream, words);
    }

    public void Dispose()
    {
        Kill();
        _directory.Delete(recursive: true);
    }

    static RedisServer Start(bool cluster, string[] options)
    {
        if (Program is null)
            Assert.Skip("redis-server is not installed.");
        for (var tries = 1; ; tries++)
        {
            var server = new RedisServer(cluster, options);
            try
            {
                server.RunAsync().GetAwaiter().GetResult();
                server.ReadyAsync().GetAwaiter().GetResult();
                return server;
            }
            catch (Exception e)
            {
                server.Dispose();
                // Another process may have been given the same port.
                if (e is not InvalidOperationException || tries == 3)
                    throw;
            }
        }
    }

    static string Exchange(NetworkStream stream, string[] words)
    {
        var request = new StringBuilder().Append(CultureInfo.InvariantCulture, $"*{words.Length}\r\n");
        foreach (var word in words)
            request.Append(CultureInfo.InvariantCulture, $"${Encoding.UTF8.GetByteCount(word)}\r\n{word}\r\n");
        stream.Write(Encoding.UTF8.GetBytes(request.ToString()));
        return Reply(stream);
    }

    static string Reply(NetworkStream stream)
    {
        var line = Line(stream);
        var rest = line[1..];
        switch (line[0])
        {
            case '*':
                return string.Join('\n', Enumerable.Range(0, Math.Max(0, Number(rest))).Select(_ => Reply(stream)));
            case '$' when Number(rest) < 0:
                return "";
            case '$':
                var bytes = new byte[Number(rest) + 2];
                stream.ReadExactly(bytes);
                return Encoding.UTF8.GetString(bytes.AsSpan(..^2));
            default:
                return rest;
        }
    }

    static string Line(NetworkStream stream)
    {
        var line = new StringBuilder();
        for (var b = stream.ReadByte(); b != '\n'; b = stream.ReadByte())
        {
            if (b < 0)
                throw new EndOfStreamException("redis-server closed the connection.");
            line.Append((char)b);
        }
        return line.ToString().TrimEnd('\r');
    }

    void Signal(string signal)
    {
        using var shell = Process.Start("/bin/sh", ["-c", $"kill -{signal} {_process!.Id}"]);
        shell.WaitForExit();
    }

    /// <summary>Below those that the system gives to connections: one of them could take the port while the server is down, even a
    /// client's own that looks for it. The port of the cluster's bus is 10,000 higher.</summary>
    public static int FreePort()
    {
        while (true)
        {
            var port = RandomNumberGenerator.GetInt32(10_000, 22_000);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // It is taken.
            }
        }
    }

    static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
