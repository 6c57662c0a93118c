using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.Intrinsics.X86;

namespace Hearth.Kernels;

/// <summary>Work cut into chunks that may run in any order and on any worker.</summary>
public interface IChunkJob
{
    /// <param name="chunk">0..chunks-1, each given out exactly once.</param>
    /// <param name="worker">0..Threads-1: which scratch is this thread's own.</param>
    void Execute(int chunk, int worker);
}

/// <summary>
/// Fixed threads that claim chunks. A run ends when its chunks end, not when its threads do, so that a worker the system
/// took off its core delays the run by at most the chunk it holds. Idle workers spin, then yield, then park.
/// One run at a time: the pool belongs to one caller.
/// </summary>
public sealed class WorkerPool : IDisposable
{
    readonly Thread[] _threads;
    readonly object _gate = new();
    JobSlot?[] _slots = [];
    JobSlot? _current;
    int _chunks;
    int _parked;
    int _running;
    volatile bool _stopping;
    ExceptionDispatchInfo? _failure;

    // Each on its own cache line: workers hammer the ticket while the caller watches the count.
    PaddedLong _ticket;
    PaddedLong _finished;

    /// <param name="threads">The caller of <see cref="Run"/> included; 0 for one per processor.</param>
    public WorkerPool(int threads = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, Limits.ThreadsMax);
        Threads = threads == 0 ? Math.Min(Environment.ProcessorCount, Limits.ThreadsMax) : threads;
        _threads = new Thread[Threads - 1];
        for (var i = 0; i < _threads.Length; i++)
        {
            var worker = i + 1;
            _threads[i] = new Thread(() => Loop(worker)) { IsBackground = true, Name = $"kernels-{worker}" };
            _threads[i].Start();
        }
    }

    public int Threads { get; }

    /// <summary>
    /// Runs every chunk once, on this thread and the workers, and returns when all are done. Allocates nothing after the
    /// first run of a job type. When a chunk throws, the chunks not yet started are skipped and the first exception is thrown
    /// here.
    /// </summary>
    public void Run<TJob>(in TJob job, int chunks) where TJob : struct, IChunkJob
    {
        ObjectDisposedException.ThrowIf(_stopping, this);
        ArgumentOutOfRangeException.ThrowIfNegative(chunks);
        if (Interlocked.Exchange(ref _running, 1) != 0)
        {
            throw new InvalidOperationException("the pool runs already: it has one caller, and a job must not start another run");
        }
        try
        {
            if (chunks > 1 && Threads > 1)
            {
                RunShared(job, chunks);
            }
            else
            {
                for (var chunk = 0; chunk < chunks; chunk++)
                {
                    Unsafe.AsRef(in job).Execute(chunk, 0);
                }
            }
        }
        finally
        {
            Volatile.Write(ref _running, 0);
        }
    }

    /// <summary>Stops and joins the threads.</summary>
    public void Dispose()
    {
        if (_stopping)
        {
            return;
        }
        _stopping = true;
        lock (_gate)
        {
            Monitor.PulseAll(_gate);
        }
        foreach (var thread in _threads)
        {
            thread.Join();
        }
    }

    void RunShared<TJob>(in TJob job, int chunks) where TJob : struct, IChunkJob
    {
        var slot = SlotOf<TJob>();
        slot.Job = job;
        _current = slot;
        _chunks = chunks;
        _failure = null;
        Volatile.Write(ref _finished.Value, 0);
        // The ticket is (run << 32 | chunks left). A run that is over has none left, whatever slot and chunks say by then,
        // so a worker late for it can claim nothing of the next by mistake.
        var run = (int)(_ticket.Value >> 32) + 1;
        Interlocked.Exchange(ref _ticket.Value, ((long)run << 32) | (uint)chunks);
        if (Volatile.Read(ref _parked) > 0)
        {
            lock (_gate)
            {
                Monitor.PulseAll(_gate);
            }
        }
        Work(run, 0);
        for (var spins = 0; Volatile.Read(ref _finished.Value) != chunks; spins++)
        {
            Relax(spins);
        }
        slot.Job = default;
        _failure?.Throw();
    }

    void Loop(int worker)
    {
        var seen = 0;
        for (var idle = 0; !_stopping;)
        {
            var run = (int)(Volatile.Read(ref _ticket.Value) >> 32);
            if (run != seen)
            {
                seen = run;
                Work(run, worker);
                idle = 0;
            }
            else if (idle < Limits.SpinsBeforeYield + Limits.YieldsBeforePark)
            {
                Relax(idle++);
            }
            else
            {
                Park(seen);
            }
        }
    }

    void Work(int run, int worker)
    {
        while (true)
        {
            var ticket = Volatile.Read(ref _ticket.Value);
            var (slot, chunks, left) = (_current!, _chunks, (int)ticket);
            if ((int)(ticket >> 32) != run || left == 0)
            {
                return;
            }
            // A claim that succeeds proves that the run was still open when slot and chunks were read.
            if (Interlocked.CompareExchange(ref _ticket.Value, ticket - 1, ticket) != ticket)
            {
                continue;
            }
            Execute(slot, chunks - left, worker);
            Interlocked.Increment(ref _finished.Value);
        }
    }

    void Execute(JobSlot slot, int chunk, int worker)
    {
        try
        {
            if (Volatile.Read(ref _failure) is null)
            {
                slot.Execute(chunk, worker);
            }
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
        }
    }

    void Park(int seen)
    {
        lock (_gate)
        {
            Interlocked.Increment(ref _parked);
            while (!_stopping && (int)(Volatile.Read(ref _ticket.Value) >> 32) == seen)
            {
                Monitor.Wait(_gate);
            }
            Interlocked.Decrement(ref _parked);
        }
    }

    static void Relax(int spins)
    {
        if (spins >= Limits.SpinsBeforeYield)
        {
            Thread.Yield();
        }
        else if (X86Base.IsSupported)
        {
            X86Base.Pause();
        }
        else
        {
            Thread.SpinWait(1);
        }
    }

    JobSlot<TJob> SlotOf<TJob>() where TJob : struct, IChunkJob
    {
        var index = JobSlot<TJob>.Index;
        if (index >= _slots.Length)
        {
            Array.Resize(ref _slots, index + 1);
        }
        return (JobSlot<TJob>)(_slots[index] ??= new JobSlot<TJob>());
    }

    abstract class JobSlot
    {
        static int _count;

        public abstract void Execute(int chunk, int worker);

        protected static int NextIndex() => Interlocked.Increment(ref _count) - 1;
    }

    sealed class JobSlot<TJob> : JobSlot where TJob : struct, IChunkJob
    {
        public static readonly int Index = NextIndex();

        public TJob Job;

        public override void Execute(int chunk, int worker) => Job.Execute(chunk, worker);
    }

    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit, Size = 192)]
    struct PaddedLong
    {
        [System.Runtime.InteropServices.FieldOffset(64)]
        public long Value;
    }
}
