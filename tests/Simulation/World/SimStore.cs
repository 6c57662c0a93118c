using Hearth.Actors;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage;
using Hearth.Tests.Shared;

namespace Hearth.Simulation.Tests.World;

/// <summary>The store's server: what it holds, and what is wrong with it.</summary>
sealed class SimStoreServer
{
    readonly List<(MemoryImage Image, TimeSpan At)> _images = [];

    public SimStoreServer(SimWorld world, TimeProvider time) => (World, Memory) = (world, new MemoryStore(time));

    public SimWorld World { get; }
    public MemoryStore Memory { get; }

    /// <summary>Refuses connections.</summary>
    public bool IsDown { get; set; }

    /// <summary>Takes no writes: full, or a replica.</summary>
    public bool RefusesWrites { get; set; }

    /// <summary>Takes requests and does not answer until it goes on.</summary>
    public bool IsPaused { get; set; }

    /// <summary>Requests that wait for a paused server.</summary>
    public Queue<Action> Waiting { get; } = [];

    public double Slowness { get; set; } = 1;

    /// <summary>Processes that cannot reach it.</summary>
    public HashSet<SimProcess> Cut { get; } = [];

    /// <summary>Processes whose requests arrive and that do not hear the answers.</summary>
    public HashSet<SimProcess> Deaf { get; } = [];

    public double RequestsLost { get; set; }
    public double AnswersLost { get; set; }

    /// <summary>Requests that arrive when their sender has long given them up.</summary>
    public double RequestsLate { get; set; }

    /// <summary>Told of every call that the server ran: whose, which, its arguments, its result.</summary>
    public Action<SimProcess, string, object?[], object?> Ran { get; set; } = (_, _, _, _) => { };

    /// <summary>Remembers the contents, for a restart that goes back to them.</summary>
    public void Keep() => _images.Add((Memory.Image, World.Now));

    /// <summary>What a disk may hold of it: its contents as they were some time ago.</summary>
    /// <returns>The contents, and up to when they are whole.</returns>
    public (MemoryImage Image, TimeSpan At) ImageBefore(TimeSpan ago)
    {
        if (ago == TimeSpan.Zero)
            return (Memory.Image, World.Now);
        // What is lost once never comes back.
        _images.RemoveAll(i => ago == TimeSpan.MaxValue || i.At > World.Now - ago);
        return _images is [.., var last] ? last : (MemoryImage.Empty, TimeSpan.Zero);
    }

    public void Continue()
    {
        IsPaused = false;
        while (Waiting.TryDequeue(out var request))
            request();
    }
}

/// <summary>One process's connection to the store: requests take time, may be lost, and so may answers.</summary>
sealed class SimStore(SimStoreServer server, SimProcess process) : IGrainStore, IMembershipStore, IBlobStore
{
    static readonly TimeSpan _timeout = TimeSpan.FromSeconds(1);

    MemoryGrainStore Grains => server.Memory.Grains;
    MemoryMembershipStore Members => server.Memory.Membership;
    MemoryBlobStore Blobs => server.Memory.Blobs;

    public ValueTask<AcquireResult> AcquireAsync(
        GrainId grain, string silo, string activation, string? expectedPrevious, CancellationToken cancellationToken) =>
        CallAsync("acquire", [grain, silo, activation, expectedPrevious],
            () => Grains.AcquireAsync(grain, silo, activation, expectedPrevious, default));

    public ValueTask<WriteOutcome> ReleaseAsync(GrainId grain, Fence fence, CancellationToken cancellationToken) =>
        CallAsync("release", [grain, fence], () => Grains.ReleaseAsync(grain, fence, default));

    public ValueTask<AcquireResult> HandOverAsync(GrainId grain, Fence fence, string silo, string activation, string? pending,
        CancellationToken cancellationToken) => CallAsync("hand_over", [grain, fence, silo, activation, pending],
        () => Grains.HandOverAsync(grain, fence, silo, activation, pending, default));

    public ValueTask<GrainLocation?> LocateAsync(GrainId grain, CancellationToken cancellationToken) =>
        CallAsync("locate", [grain], () => Grains.LocateAsync(grain, default), isWrite: false);

    public ValueTask<BeginResult> BeginAsync(GrainId grain, Fence fence, string operation, string hash,
        ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        var kept = request.ToArray();
        return CallAsync("begin", [grain, fence, operation, hash],
            () => Grains.BeginAsync(grain, fence, operation, hash, kept, default));
    }

    public ValueTask<StoredOperation?> FindOperationAsync(GrainId grain, string operation, CancellationToken cancellationToken) =>
        CallAsync("find_operation", [grain, operation], () => Grains.FindOperationAsync(grain, operation, default), isWrite: false);

    public ValueTask<CommitResult> CommitAsync(
        GrainId grain, Fence fence, GrainCommit commit, CancellationToken cancellationToken) =>
        CallAsync("commit", [grain, fence, commit], () => Grains.CommitAsync(grain, fence, commit, default));

    public ValueTask<WriteOutcome> EndAsync(
        GrainId grain, Fence fence, string operation, OperationStatus status, CancellationToken cancellationToken) =>
        CallAsync("end", [grain, fence, operation, status], () => Grains.EndAsync(grain, fence, operation, status, default));

    public ValueTask<GrainSnapshot?> ReadAsync(GrainId grain, CancellationToken cancellationToken) =>
        CallAsync("read", [grain], () => Grains.ReadAsync(grain, default), isWrite: false);

    public ValueTask<GrainSummary?> DescribeAsync(GrainId grain, CancellationToken cancellationToken) =>
        CallAsync("describe", [grain], () => Grains.DescribeAsync(grain, default), isWrite: false);

    public ValueTask<IReadOnlyList<GrainSummary>> ListAsync(string scope, int limit, CancellationToken cancellationToken) =>
        CallAsync("list", [scope], () => Grains.ListAsync(scope, limit, default), isWrite: false);

    public ValueTask<bool> DeleteAsync(GrainId grain, CancellationToken cancellationToken) =>
        CallAsync("delete", [grain], () => Grains.DeleteAsync(grain, default));

    public ValueTask<GrainId?> FindAsync(string scope, string indexKey, CancellationToken cancellationToken) =>
        CallAsync("find", [scope], () => Grains.FindAsync(scope, indexKey, default), isWrite: false);

    public ValueTask<bool> JoinAsync(SiloEntry silo, CancellationToken cancellationToken) =>
        CallAsync("join", [silo.Id], () => Members.JoinAsync(silo, default));

    public ValueTask<BeatResult> BeatAsync(string silo, ReadOnlyMemory<byte> load, CancellationToken cancellationToken)
    {
        var kept = load.ToArray();
        return CallAsync("beat", [silo], () => Members.BeatAsync(silo, kept, default));
    }

    public ValueTask<bool> SetStatusAsync(string silo, SiloStatus status, CancellationToken cancellationToken) =>
        CallAsync("set_status", [silo, status], () => Members.SetStatusAsync(silo, status, default));

    public ValueTask<bool> DeclareDeadAsync(string silo, long beat, CancellationToken cancellationToken) =>
        CallAsync("declare_dead", [silo, beat], () => Members.DeclareDeadAsync(silo, beat, default));

    ValueTask<MembershipSnapshot> IMembershipStore.ReadAsync(CancellationToken cancellationToken) =>
        CallAsync("members", [], () => Members.ReadAsync(default), isWrite: false);

    public async ValueTask PruneAsync(int keep, CancellationToken cancellationToken) =>
        await CallAsync("prune", [keep], async () =>
        {
            await Members.PruneAsync(keep, default);
            return true;
        });

    public async ValueTask PutAsync(GrainId grain, string name, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        var kept = data.ToArray();
        await CallAsync("put", [grain, name], async () =>
        {
            await Blobs.PutAsync(grain, name, kept, default);
            return true;
        });
    }

    public async ValueTask<int> ReadAsync(
        GrainId grain, string name, Memory<byte> destination, CancellationToken cancellationToken)
    {
        // Into memory of its own: the caller's is the caller's again when the call has timed out.
        var read = new byte[destination.Length];
        var length = await CallAsync("get", [grain, name], () => Blobs.ReadAsync(grain, name, read, default), isWrite: false);
        read.AsSpan(0, Math.Max(0, length)).CopyTo(destination.Span);
        return length;
    }

    public ValueTask<PublishOutcome> PublishAsync(
        GrainId grain, Fence fence, BlobManifest manifest, CancellationToken cancellationToken) =>
        CallAsync("publish", [grain, fence], () => Blobs.PublishAsync(grain, fence, manifest, default));

    public ValueTask<BlobManifest?> ReadManifestAsync(GrainId grain, CancellationToken cancellationToken) =>
        CallAsync("manifest", [grain], () => Blobs.ReadManifestAsync(grain, default), isWrite: false);

    public async ValueTask ClearAsync(GrainId grain, CancellationToken cancellationToken) =>
        await CallAsync("clear", [grain], async () =>
        {
            await Blobs.ClearAsync(grain, default);
            return true;
        });

    /// <summary>The calls of the model complete at once, so their results are there when they return.</summary>
    async ValueTask<T> CallAsync<T>(string op, object?[] arguments, Func<ValueTask<T>> run, bool isWrite = true)
    {
        if (SimProcess.Running is { } running && running != process)
            server.World.Violate($"{running.Name} uses the store connection of {process.Name}");
        var world = server.World;
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (server.IsDown)
            world.At(Delay(), () => process.Do(() => answer.TrySetException(Refused("connection refused"))));
        else if (!server.Cut.Contains(process) && !world.Chance(server.RequestsLost))
            world.At(world.Chance(server.RequestsLate) ? world.Between(0.5, 6) : Delay(), Arrive);
        using var timer = process.Time.CreateTimer(
            _ => answer.TrySetException(new StoreException($"{op}: no answer in {_timeout.TotalSeconds} s", null, isWrite)),
            null, _timeout, Timeout.InfiniteTimeSpan);
        return await answer.Task;

        void Arrive()
        {
            if (server.IsDown)
                return;
            if (server.IsPaused)
            {
                server.Waiting.Enqueue(Execute);
                return;
            }
            Execute();
        }

        void Execute()
        {
            if (isWrite && server.RefusesWrites && op is not ("release" or "end" or "delete" or "beat" or "declare_dead" or "set_status"))
            {
                Answer(() => answer.TrySetException(Refused("OOM command not allowed")));
                return;
            }
            var result = run().AsTask().GetAwaiter().GetResult();
            if (isWrite && op != "beat")
                server.Keep();
            server.Ran(process, op, arguments, result);
            Answer(() => answer.TrySetResult(result));
        }

        void Answer(Action complete)
        {
            if (!server.Cut.Contains(process) && !server.Deaf.Contains(process) && !world.Chance(server.AnswersLost))
                world.At(Delay(), () => process.Do(complete));
        }
    }

    TimeSpan Delay() => server.World.Between(0.0001, 0.001) * server.Slowness;

    static StoreException Refused(string why) => new(why);
}
