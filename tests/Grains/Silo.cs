using Hearth.Actors;
using Hearth.Actors.Storage;
using Hearth.Actors.Storage.Embedded;
using Hearth.Contracts;
using Hearth.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Hearth.Grains.Tests;

/// <summary>A cluster of one over a scripted engine and real files; a restart keeps the files only.</summary>
sealed class Silo : IAsyncDisposable
{
    static readonly TimeSpan _idleMax = TimeSpan.FromMinutes(15);

    readonly string _directory;
    readonly EmbeddedStore _store;
    bool _stopped;

    Silo(string directory, TimeProvider time, Func<IGrainStore, IGrainStore> wrap, TimeSpan idleMax)
    {
        _directory = directory;
        Engine = new FakeEngine(TinyModel.Write(directory));
        _store = EmbeddedStore.Open(Path.Combine(directory, "data"), 1 << 20, time);
        Store = wrap(_store.Grains);
        var models = new ModelCatalog();
        Model = ServedModel.Load(Engine);
        models.Serve(Model);
        var name = $"silo-{Guid.NewGuid():N}";
        Cluster = new LocalCluster(
            new GrainHostOptions
            {
                Silo = name,
                SiloIsGone = (other, _) => ValueTask.FromResult(other != name),
                IdleMax = idleMax,
            },
            Store, _store.Blobs, models, time, NullLogger.Instance);
    }

    public FakeEngine Engine { get; }
    public ServedModel Model { get; }
    public LocalCluster Cluster { get; }
    public IGrainStore Store { get; }
    public IBlobStore Blobs => _store.Blobs;
    public Tokenizer Tokenizer => Model.Tokenizer;
    public int Eos => Engine.Model.EosTokens[0];
    public string DataDirectory => Path.Combine(_directory, "data");

    public static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static Silo Start(
        Func<IGrainStore, IGrainStore>? wrap = null, TimeProvider? time = null, TimeSpan? idleMax = null) =>
        new(Directory.CreateTempSubdirectory("hearth-").FullName, time ?? TimeProvider.System, wrap ?? (s => s), idleMax ?? _idleMax);

    /// <summary>Stops this one, and starts another on what it left on disk.</summary>
    public async Task<Silo> RestartAsync()
    {
        await StopAsync();
        return new Silo(_directory, TimeProvider.System, s => s, _idleMax);
    }

    public async Task StopAsync()
    {
        if (_stopped)
            return;
        _stopped = true;
        await Cluster.DisposeAsync();
        _store.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        if (Directory.Exists(_directory))
            Directory.Delete(_directory, recursive: true);
    }

    /// <summary>The engine's next replies are these texts, each ended by the model.</summary>
    public void Says(params string[] replies)
    {
        var next = 0;
        Engine.Script = _ => [.. Tokenizer.EncodePlain(replies[Math.Min(next++, replies.Length - 1)], false), Eos];
    }

    public static ChatTurn Turn(string id, string text, HistoryMode history = HistoryMode.Append, string conversation = "c1") =>
        Turn(id, [MessageItem.Of(Role.User, text)], history, conversation);

    public static ChatTurn Turn(string id, IReadOnlyList<ConversationItem> items,
        HistoryMode history = HistoryMode.Append, string conversation = "c1") => new()
        {
            Id = new TurnId(id),
            Tenant = TenantId.Local,
            Conversation = new ConversationId(conversation),
            Model = TinyModel.Name,
            History = history,
            Items = items,
            BodyHash = "hash",
        };

    public async Task<List<TurnEvent>> RunAsync(ChatTurn turn)
    {
        var events = new List<TurnEvent>();
        await foreach (var e in Cluster.RunTurnAsync(turn, Stop))
            events.Add(e);
        return events;
    }

    /// <summary>Runs a turn that must succeed, and gives its text.</summary>
    public async Task<string> SayAsync(ChatTurn turn)
    {
        var events = await RunAsync(turn);
        Assert.IsType<TurnFinished>(events[^1]);
        return TextOf(events);
    }

    public async Task<TurnError> FailAsync(ChatTurn turn)
    {
        var events = await RunAsync(turn);
        Assert.DoesNotContain(events, e => e is TurnFinished);
        return Assert.IsType<TurnFailed>(events[^1]).Failure.Error;
    }

    public static string TextOf(IEnumerable<TurnEvent> events, int choice = 0) =>
        string.Concat(events.OfType<TurnDelta>().Where(d => d.Choice == choice).Select(d => d.Text));

    public async Task<ConversationInfo?> DescribeAsync(string conversation = "c1") =>
        await Cluster.DescribeConversationAsync(TenantId.Local, new ConversationId(conversation), Stop);

    /// <summary>For a script that must not go on by itself.</summary>
    public static async Task UntilCancelledAsync(TokenRequest request)
    {
        var cancelled = new TaskCompletionSource();
        await using var registration = request.Cancellation.Register(cancelled.SetResult);
        await cancelled.Task;
    }

    public int[] LastPrompt => Engine.Requests[^1].Prompt.ToArray();
}
