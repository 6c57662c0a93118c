using System.Collections.Concurrent;
using Xunit;

[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Hearth.Cluster.Tests.Rig;

/// <summary>One cluster for all tests that leave nothing behind but dead processes: the next test starts what it misses.</summary>
public sealed class SharedCluster : IAsyncDisposable
{
    readonly ConcurrentDictionary<string, string> _baselines = new();
    ClusterRig? _rig;
    int _names;

    public async Task<ClusterRig> WithAsync(int silos, int gateways)
    {
        var cancellation = TestContext.Current.CancellationToken;
        if (_rig is null)
            _rig = await ClusterRig.StartAsync(new RigOptions { Silos = silos, Gateways = gateways }, cancellation);
        else
            await _rig.FillAsync(silos, gateways, cancellation);
        return _rig;
    }

    /// <summary>A conversation that no test has used.</summary>
    public string Conversation(string hint) => $"{hint}-{Interlocked.Increment(ref _names)}";

    /// <summary>The text that the seeded turn gives when nobody disturbs it.</summary>
    public async Task<string> BaselineAsync(int tokens, int seed = 20260101)
    {
        var key = $"{tokens}/{seed}";
        if (!_baselines.TryGetValue(key, out var text))
        {
            using var stream = await _rig!.Client().StreamAsync(
                Turns.Seeded(Conversation("undisturbed"), tokens, seed), TestContext.Current.CancellationToken);
            text = _baselines[key] = await stream.ReadToEndAsync(TestContext.Current.CancellationToken);
            Assert.True(stream.IsDone);
        }
        return text;
    }

    /// <summary>Runs a test on a cluster of its own.</summary>
    public static async Task OnItsOwnAsync(RigOptions options, Func<ClusterRig, Task> test)
    {
        await using var rig = await ClusterRig.StartAsync(options, TestContext.Current.CancellationToken);
        try
        {
            await test(rig);
        }
        catch
        {
            KeepLogs(rig);
            throw;
        }
    }

    /// <summary>Writes down what every process said.</summary>
    public static void KeepLogs(ClusterRig rig)
    {
        var folder = Directory.CreateDirectory(Path.Combine(HearthNode.Root, "artifacts", "test-results", "cluster"));
        var name = TestContext.Current.TestMethod?.MethodName ?? "test";
        File.WriteAllText(Path.Combine(folder.FullName, $"{name}.log"), rig.Logs());
    }

    public async ValueTask DisposeAsync()
    {
        if (_rig is not null)
            await _rig.DisposeAsync();
    }

    internal ClusterRig? Rig => _rig;
}

[CollectionDefinition(Name)]
public sealed class SharedClusterGroup : ICollectionFixture<SharedCluster>
{
    public const string Name = "shared cluster";
}

/// <summary>A test on the shared cluster.</summary>
[Collection(SharedClusterGroup.Name)]
public abstract class SharedClusterTest(SharedCluster cluster) : IDisposable
{
    protected SharedCluster Cluster => cluster;
    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        if (cluster.Rig is { } rig && TestContext.Current.TestState?.Result == TestResult.Failed)
            SharedCluster.KeepLogs(rig);
        GC.SuppressFinalize(this);
    }
}
