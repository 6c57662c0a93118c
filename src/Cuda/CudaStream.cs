using Hearth.Cuda.Native;

namespace Hearth.Cuda;

/// <summary>A queue of the card's work. Its context must be current on the thread that calls.</summary>
sealed unsafe class CudaStream : IDisposable
{
    const uint NonBlocking = 1;
    const int CaptureThreadLocal = 1;

    public CudaStream(CudaContext context)
    {
        context.MakeCurrent();
        nint handle;
        Driver.cuStreamCreateWithPriority(&handle, NonBlocking, 0).Check();
        (Context, Handle) = (context, handle);
    }

    public CudaContext Context { get; }
    public nint Handle { get; }

    public void Synchronize() => Driver.cuStreamSynchronize(Handle).Check();

    /// <summary>What is queued from here on waits for the event.</summary>
    public void Wait(CudaEvent happening) => Driver.cuStreamWaitEvent(Handle, happening.Handle, 0).Check();

    /// <param name="from">Must stay as it is until the copy is done.</param>
    public void Upload(ulong to, PinnedMemory from, long offset, long bytes) =>
        Driver.cuMemcpyHtoDAsync_v2(to, from.Address + Checked(from, offset, bytes), (nuint)bytes, Handle).Check();

    public void Download(PinnedMemory to, long offset, ulong from, long bytes) =>
        Driver.cuMemcpyDtoHAsync_v2(to.Address + Checked(to, offset, bytes), from, (nuint)bytes, Handle).Check();

    public void Copy(ulong to, ulong from, long bytes) =>
        Driver.cuMemcpyDtoDAsync_v2(to, from, (nuint)bytes, Handle).Check();

    /// <summary>From another card's memory to this stream's card.</summary>
    public void CopyFrom(CudaContext source, ulong from, ulong to, long bytes) =>
        Driver.cuMemcpyPeerAsync(to, Context.Handle, from, source.Handle, (nuint)bytes, Handle).Check();

    public void Clear(ulong to, long bytes) => Driver.cuMemsetD8Async(to, 0, (nuint)bytes, Handle).Check();

    /// <summary>From here on what is queued is recorded instead of run. It must have run before (so that its kernels are
    /// loaded), allocate nothing, and take changing numbers from memory of the card.</summary>
    public void BeginCapture()
    {
        Driver.cuStreamBeginCapture_v2(Handle, CaptureThreadLocal).Check();
        IsCapturing = true;
    }

    public bool IsCapturing { get; private set; }

    public CudaGraph EndCapture()
    {
        IsCapturing = false;
        nint graph;
        Driver.cuStreamEndCapture(Handle, &graph).Check();
        return new CudaGraph(graph, this);
    }

    /// <summary>Gives a recording up that was broken off.</summary>
    public void DropCapture()
    {
        if (!IsCapturing)
            return;
        IsCapturing = false;
        nint graph;
        // It fails when the recording was broken, which is what it ends for.
        if (Driver.cuStreamEndCapture(Handle, &graph) == CudaResult.Success)
            Driver.cuGraphDestroy(graph).Check();
    }

    public void Dispose()
    {
        Context.MakeCurrent();
        Driver.cuStreamSynchronize(Handle).Check();
        Driver.cuStreamDestroy_v2(Handle).Check();
    }

    static long Checked(PinnedMemory memory, long offset, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, memory.Length - bytes);
        return offset;
    }
}

/// <summary>A mark in a stream.</summary>
sealed unsafe class CudaEvent : IDisposable
{
    const uint DisableTiming = 2;

    readonly CudaContext _context;

    public CudaEvent(CudaContext context, bool timing = false)
    {
        context.MakeCurrent();
        nint handle;
        Driver.cuEventCreate(&handle, timing ? 0 : DisableTiming).Check();
        (_context, Handle) = (context, handle);
    }

    public nint Handle { get; }

    public void Record(CudaStream stream) => Driver.cuEventRecord(Handle, stream.Handle).Check();

    public void Synchronize() => Driver.cuEventSynchronize(Handle).Check();

    /// <summary>Time from this event to a later one; both were made with timing and have happened.</summary>
    public TimeSpan Until(CudaEvent end)
    {
        float milliseconds;
        Driver.cuEventElapsedTime(&milliseconds, Handle, end.Handle).Check();
        return TimeSpan.FromMilliseconds(milliseconds);
    }

    public void Dispose()
    {
        _context.MakeCurrent();
        Driver.cuEventDestroy_v2(Handle).Check();
    }
}

/// <summary>Recorded work, launched as one.</summary>
sealed unsafe class CudaGraph : IDisposable
{
    readonly CudaStream _stream;
    readonly nint _exec;

    /// <param name="graph">Taken over.</param>
    public CudaGraph(nint graph, CudaStream stream)
    {
        nint exec;
        var result = Driver.cuGraphInstantiateWithFlags(&exec, graph, 0);
        Driver.cuGraphDestroy(graph).Check();
        result.Check("Driver.cuGraphInstantiateWithFlags");
        (_stream, _exec) = (stream, exec);
        Driver.cuGraphUpload(exec, stream.Handle).Check();
    }

    public void Launch() => Driver.cuGraphLaunch(_exec, _stream.Handle).Check();

    public void Dispose()
    {
        _stream.Context.MakeCurrent();
        Driver.cuGraphExecDestroy(_exec).Check();
    }
}
