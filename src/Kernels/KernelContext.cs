namespace Hearth.Kernels;

/// <summary>
/// What every operation takes first: the kernels, the threads and the scratch. One operation at a time: a context belongs to
/// one caller, as its pool does. After the largest shapes have been seen once, no operation allocates.
/// </summary>
public sealed class KernelContext : IDisposable
{
    /// <param name="threads">Threads of the pool, the caller included; 0 for one per processor.</param>
    /// <param name="kernels">Null for <see cref="KernelSet.Default"/>.</param>
    public KernelContext(int threads = 0, KernelSet? kernels = null)
    {
        Kernels = kernels ?? KernelSet.Default;
        Pool = new WorkerPool(threads);
    }

    public KernelSet Kernels { get; }

    public WorkerPool Pool { get; }

    public int Threads => Pool.Threads;

    internal Workspace Scratch { get; } = new();

    public void Dispose()
    {
        Pool.Dispose();
        Scratch.Dispose();
    }
}
