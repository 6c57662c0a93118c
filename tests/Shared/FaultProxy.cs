using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Hearth.Tests.Shared;

/// <summary>A TCP proxy on a loopback port that delays, drips, cuts, swallows or spoils what passes, by plans that may be changed at
/// any moment. All chance comes from its seed.</summary>
public sealed class FaultProxy : IAsyncDisposable
{
    const int BufferBytes = 16 << 10;

    readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    readonly IPEndPoint _target;
    readonly TimeProvider _time = TimeProvider.System;
    readonly CancellationTokenSource _stop = new();
    readonly ConcurrentDictionary<int, Link> _links = new();
    readonly Random _random;
    readonly Lock _randomGate = new();
    readonly Task _accepting;
    volatile FaultPlan _requests = FaultPlan.None;
    volatile FaultPlan _replies = FaultPlan.None;
    volatile TaskCompletionSource _changed = NewSignal();
    volatile TaskCompletionSource _cut = NewSignal();
    volatile bool _refuse;
    int _accepted, _cuts;

    public FaultProxy(IPEndPoint target, int seed)
    {
        (_target, _random) = (target, new Random(seed));
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(512);
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;
    public string Address => $"127.0.0.1:{Port}";
    public int Accepted => Volatile.Read(ref _accepted);
    public int Cuts => Volatile.Read(ref _cuts);

    /// <summary>Completes at the next connection that is cut by its plan.</summary>
    public Task NextCut => _cut.Task;

    /// <summary>From the clients to the target.</summary>
    public FaultPlan Requests
    {
        get => _requests;
        set => Change(() => _requests = value);
    }

    /// <summary>From the target to the clients.</summary>
    public FaultPlan Replies
    {
        get => _replies;
        set => Change(() => _replies = value);
    }

    /// <summary>Told of what the clients send.</summary>
    public Action<ReadOnlyMemory<byte>>? Heard { get; init; }

    /// <summary>New connections are reset at once.</summary>
    public bool Refuse
    {
        get => _refuse;
        set => _refuse = value;
    }

    /// <summary>Resets every open connection.</summary>
    public void CutAll()
    {
        foreach (var link in _links.Values)
            link.Reset();
    }

    /// <summary>Passes everything again, on new connections.</summary>
    public void Heal()
    {
        (Requests, Replies, Refuse) = (FaultPlan.None, FaultPlan.None, false);
        CutAll();
    }

    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
            return;
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        CutAll();
        await Task.WhenAll(_links.Values.Select(l => l.Done));
        _stop.Dispose();
    }

    void Change(Action set)
    {
        var before = _changed;
        _changed = NewSignal();
        set();
        before.TrySetResult();
    }

    async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptAsync(_stop.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
            var number = Interlocked.Increment(ref _accepted);
            if (_refuse)
            {
                Link.Reset(client);
                continue;
            }
            var link = new Link(this, client);
            _links[number] = link;
            _ = link.Done.ContinueWith(_ => _links.TryRemove(number, out var _), TaskScheduler.Default);
        }
    }

    double Chance()
    {
        lock (_randomGate)
            return _random.NextDouble();
    }

    void CountCut()
    {
        Interlocked.Increment(ref _cuts);
        var before = _cut;
        _cut = NewSignal();
        before.TrySetResult();
    }

    static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>One connection: two pumps.</summary>
    sealed class Link : IDisposable
    {
        readonly FaultProxy _proxy;
        readonly Socket _client;
        readonly Socket _server = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

        public Link(FaultProxy proxy, Socket client)
        {
            (_proxy, _client) = (proxy, client);
            client.NoDelay = true;
            Done = RunAsync();
        }

        public Task Done { get; }

        public void Reset()
        {
            Reset(_client);
            Reset(_server);
        }

        public void Dispose() => _server.Dispose();

        public static void Reset(Socket socket)
        {
            try
            {
                socket.LingerState = new LingerOption(true, 0);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It is closed already.
            }
            socket.Dispose();
        }

        async Task RunAsync()
        {
            try
            {
                await _server.ConnectAsync(_proxy._target, _proxy._stop.Token);
                await Task.WhenAll(
                    PumpAsync(_client, _server, () => _proxy._requests, _proxy.Heard),
                    PumpAsync(_server, _client, () => _proxy._replies, null));
                _client.Dispose();
                _server.Dispose();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
            {
                Reset();
            }
        }

        async Task PumpAsync(Socket from, Socket to, Func<FaultPlan> plan, Action<ReadOnlyMemory<byte>>? heard)
        {
            var buffer = new byte[BufferBytes];
            var passed = 0L;
            try
            {
                while (true)
                {
                    await WhileHeldAsync(plan);
                    var count = await from.ReceiveAsync(buffer, _proxy._stop.Token);
                    if (count == 0)
                        break;
                    heard?.Invoke(buffer.AsMemory(0, count));
                    await WhileHeldAsync(plan);
                    passed += await PassAsync(to, buffer.AsMemory(0, count), plan(), passed);
                }
                to.Shutdown(SocketShutdown.Send);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // One side is gone: the other learns it the same way.
                Reset();
            }
        }

        async Task<int> PassAsync(Socket to, Memory<byte> bytes, FaultPlan plan, long passed)
        {
            if (plan.Latency > TimeSpan.Zero || plan.Jitter > TimeSpan.Zero)
                await PauseAsync(plan.Latency + plan.Jitter * _proxy.Chance());
            if (plan.Swallow)
                return 0;
            Spoil(bytes.Span, plan.Corrupt);
            var most = plan.CutAfter is { } cut ? (int)Math.Clamp(cut - passed, 0, bytes.Length) : bytes.Length;
            for (var sent = 0; sent < most;)
            {
                var next = plan.DripBytes > 0 ? Math.Min(plan.DripBytes, most - sent) : most - sent;
                await to.SendAsync(bytes.Slice(sent, next), _proxy._stop.Token);
                sent += next;
                if (plan.DripBytes > 0)
                    await PauseAsync(plan.DripPause);
            }
            if (plan.CutAfter <= passed + most)
            {
                Reset();
                _proxy.CountCut();
            }
            return most;
        }

        void Spoil(Span<byte> bytes, double part)
        {
            if (part <= 0)
                return;
            for (var i = 0; i < bytes.Length; i++)
            {
                if (_proxy.Chance() < part)
                    bytes[i] ^= (byte)(1 << (int)(_proxy.Chance() * 8));
            }
        }

        async Task WhileHeldAsync(Func<FaultPlan> plan)
        {
            while (true)
            {
                var changed = _proxy._changed.Task;
                if (!plan().Hold)
                    return;
                await changed.WaitAsync(_proxy._stop.Token);
            }
        }

        Task PauseAsync(TimeSpan pause) => Task.Delay(pause, _proxy._time, _proxy._stop.Token);
    }
}
