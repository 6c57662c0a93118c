using Hearth.Engine.Models;
using Hearth.Engine.Tests.Checkpoints;
using Hearth.Kernels;
using Xunit;

namespace Hearth.Engine.Tests.Models;

public sealed class DecoderRunnerTests
{
    static readonly int[] Blocks = [0, 1, 2];

    [Fact]
    public void AStepAllocatesNothing()
    {
        using var rig = new Rig();
        var batch = new Batch(16, 2);
        int[] prompt = [1, 2, 3, 4, 5], next = [6];
        ReadOnlyMemory<int> first = new[] { 0, 1 }, second = new[] { 2, 3 };
        var logits = new float[2 * 16];
        long before = 0;
        for (var step = 0; step < 40; step++)
        {
            if (step == 20) // all is as large as it gets
                before = GC.GetAllocatedBytesForCurrentThread();
            batch.Clear();
            batch.Add(prompt, 0, first, LogitsWanted.Last);
            batch.Add(next, 20 + step, second, LogitsWanted.Last);
            rig.Runner.Run(batch, logits);
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void WhatDoesNotFitIsRefusedBeforeAnythingIsWritten()
    {
        using var rig = new Rig();
        var wide = new Batch(64, 1);
        wide.Add(new int[17], 0, Blocks, LogitsWanted.None);
        var error = Assert.Throws<ArgumentException>(() => rig.Runner.Run(wide, []));
        Assert.Contains("17 rows", error.Message, StringComparison.Ordinal);
        var late = new Batch(16, 1);
        late.Add([1, 2], 63, Blocks, LogitsWanted.None);
        error = Assert.Throws<ArgumentException>(() => rig.Runner.Run(late, []));
        Assert.Contains("context of 64", error.Message, StringComparison.Ordinal);
    }

    sealed class Rig : IDisposable
    {
        readonly CheckpointFiles _files = new();
        readonly LoadedModel _model;
        readonly KernelContext _context = new(1);
        readonly KvPool _pool;

        public Rig()
        {
            _model = LoadedModel.Load(_files.Directory, new ModelOptions { Threads = 1 });
            _pool = new KvPool(_model.KvLayout, 4);
            Runner = _model.CreateRunner(_context, _pool, rowsMax: 16);
        }

        public Devices.IModelRunner Runner { get; }

        public void Dispose()
        {
            Runner.Dispose();
            _pool.Dispose();
            _context.Dispose();
            _model.Dispose();
            _files.Dispose();
        }
    }
}
