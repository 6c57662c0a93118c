namespace Hearth.Cuda;

/// <summary>A card that is in use: its context and its kernels. Whatever is on it is disposed of first.</summary>
sealed class CudaCard : IDisposable
{
    /// <param name="cacheFolder">Where compiled kernels and chosen algorithms are kept.</param>
    /// <param name="progress">A line for who waits.</param>
    /// <exception cref="CudaException">The card or a library is missing or too old.</exception>
    public CudaCard(int ordinal, string cacheFolder, Action<string> progress)
    {
        Context = new CudaContext(ordinal);
        Cache = new FileCache(cacheFolder, progress);
        try
        {
            Modules = new CudaModules(Context, Cache, (done, all) =>
                progress($"kernels for {Context.Info.Name} ({Context.Info.Architecture}): {done} of {all}"));
        }
        catch
        {
            Context.Dispose();
            throw;
        }
    }

    public CudaContext Context { get; }
    public CudaModules Modules { get; }
    public FileCache Cache { get; }

    /// <summary>The kernels for one stream. Not thread-safe: each thread has its own.</summary>
    public CudaOperations Operations(CudaStream stream) => new(stream, new CudaKernels(Modules), Context.Info.Multiprocessors);

    public void Dispose()
    {
        Modules.Dispose();
        Context.Dispose();
    }
}
