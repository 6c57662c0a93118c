namespace Hearth.Kernels;

/// <summary>Rows given out to the pool in chunks, or done here when there is too little work to share.</summary>
static class RowRuns
{
    /// <summary>Elements worth a fork and a join (about a microsecond).</summary>
    const long ElementsMin = 32_768;

    public static void Run<TJob>(KernelContext context, in RowJob<TJob> job, long elements) where TJob : struct, IRowJob
    {
        if (elements < ElementsMin)
        {
            job.Rows.Execute(0, job.Count);
        }
        else
        {
            context.Pool.Run(job, (job.Count + job.Step - 1) / job.Step);
        }
    }
}

interface IRowJob
{
    /// <summary>Does rows from..to-1.</summary>
    void Execute(int from, int to);
}

readonly struct RowJob<TJob>(TJob rows, int count, int step) : IChunkJob where TJob : struct, IRowJob
{
    public TJob Rows => rows;

    public int Count => count;

    public int Step => step;

    public void Execute(int chunk, int worker) => rows.Execute(chunk * step, Math.Min(count, (chunk + 1) * step));
}
