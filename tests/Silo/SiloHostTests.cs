using System.Runtime.CompilerServices;
using Hearth.Actors;
using Hearth.Actors.Storage.Embedded;
using Hearth.Contracts;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Hearth.Silo.Tests;

public sealed class SiloHostTests : IDisposable
{
    readonly string _data = Directory.CreateTempSubdirectory("hearth-silo-").FullName;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task ATurnIsRefusedWhileLoadingAndServedAfter()
    {
        var cancellation = TestContext.Current.CancellationToken;
        await using var silo = Open(DemoModel());
        Assert.False(silo.Cluster.Status.Ready);
        var early = await silo.Cluster.RunTurnAsync(Turn("t1"), cancellation).ToListAsync(cancellation);
        Assert.Equal(TurnError.ModelLoading, Assert.IsType<TurnFailed>(Assert.Single(early)).Failure.Error);

        var bytes = (Done: 0L, Total: 0L);
        await silo.LoadAsync((done, total) => bytes = (done, total), cancellation);
        Assert.True(silo.Cluster.Status.Ready);
        Assert.Equal(bytes.Total, bytes.Done);
        var events = await silo.Cluster.RunTurnAsync(Turn("t2"), cancellation).ToListAsync(cancellation);
        Assert.Equal(Enumerable.Range(0, events.Count), events.Select(e => e.Sequence));
        Assert.IsType<TurnStarted>(events[0]);
        Assert.Equal(8, Assert.IsType<TurnFinished>(events[^1]).Usage.CompletionTokens);
    }

    [Fact]
    public void ASecondSiloOnTheSameDataIsRefused()
    {
        using var held = new Disposer(Open(DemoModel()));
        var error = Assert.Throws<SiloException>(() => Open(DemoModel()));
        Assert.Equal(SiloFault.Data, error.Fault);
        Assert.Contains(_data, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ACheckpointThatIsNoneIsNamed()
    {
        await using var silo = Open(Path.Combine(_data, "nothing"));
        var error = await Assert.ThrowsAsync<SiloException>(() => silo.LoadAsync((_, _) => { }, TestContext.Current.CancellationToken));
        Assert.Equal(SiloFault.Model, error.Fault);
        Assert.Contains("config.json", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnOptionOutOfBoundsIsNamed()
    {
        await using var silo = Open(DemoModel(), options => options with { KvType = "int3" });
        var error = await Assert.ThrowsAsync<SiloException>(() => silo.LoadAsync((_, _) => { }, TestContext.Current.CancellationToken));
        Assert.Equal(SiloFault.Option, error.Fault);
        Assert.Contains("int3", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AtTheStartConversationsWithoutATurnForTooLongAreRemoved()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var grain = new GrainId(TenantId.Local.Value, "old");
        using (var store = EmbeddedStore.Open(_data, 1 << 20, new LongAgo()))
            await store.Grains.AcquireAsync(grain, "s", "a", null, cancellation);
        using (var store = EmbeddedStore.Open(_data, 1 << 20, TimeProvider.System))
            await store.Grains.AcquireAsync(grain with { Name = "new" }, "s", "a", null, cancellation);
        var options = new SiloOptions
        {
            Model = new ModelSettings { Directory = DemoModel() },
            DataDirectory = _data,
            Retention = TimeSpan.FromDays(30),
        };
        var log = new Lines();
        await using (SiloHost.Open(options, log, TimeProvider.System))
            await log.Expired.Task.WaitAsync(TimeSpan.FromSeconds(30), cancellation);
        using var left = EmbeddedStore.Open(_data, 1 << 20, TimeProvider.System);
        Assert.Equal(["new"], (await left.Grains.ListAsync(grain.Scope, 10, cancellation)).Select(g => g.Id.Name));
    }

    sealed class LongAgo : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch;
    }

    /// <summary>Waits for what the log says of old conversations.</summary>
    sealed class Lines : ILoggerFactory, ILogger
    {
        public TaskCompletionSource Expired { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (formatter(state, exception).StartsWith("1 conversations without a turn", StringComparison.Ordinal))
                Expired.TrySetResult();
        }

        public void Dispose()
        {
        }
    }

    SiloHost Open(string model, Func<ModelSettings, ModelSettings>? change = null)
    {
        var settings = new ModelSettings { Directory = model, KvMemoryBytes = 8 << 20, HostMemoryBytes = 0 };
        var options = new SiloOptions { Model = change?.Invoke(settings) ?? settings, DataDirectory = _data };
        return SiloHost.Open(options, NullLoggerFactory.Instance, TimeProvider.System);
    }

    static ChatTurn Turn(string id) => new()
    {
        Id = new TurnId(id),
        Tenant = TenantId.Local,
        Conversation = new ConversationId("c"),
        Model = "demo",
        History = HistoryMode.Append,
        Items = [MessageItem.Of(Role.User, "Hello!")],
        BodyHash = id,
        Generation = new GenerationOptions { MaxTokens = 8, IgnoreEos = true },
    };

    static string DemoModel([CallerFilePath] string file = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", "..", "models", "demo"));

    sealed class Disposer(IAsyncDisposable held) : IDisposable
    {
        public void Dispose() => held.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }
}
