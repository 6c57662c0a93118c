using System.Diagnostics;
using System.Globalization;
using Hearth.Actors;
using Hearth.Actors.Membership;
using Hearth.Actors.Storage.Redis;
using Hearth.Contracts;
using Hearth.Engine;
using Hearth.Engine.Models;
using Hearth.Grains;
using Hearth.Grains.Caches;
using Hearth.Kernels;
using Hearth.Kernels.Bench;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hearth.Cluster.Bench;

/// <summary>Usage: resume HOST:PORT DIR [tokens] [rounds]. The time to the first token of a turn in a conversation of so many
/// tokens: warm; from Redis, at a silo that has no activation of it and an engine that holds nothing of it; and computed
/// again. Then from Redis with compressed spills, and with int8.</summary>
sealed class ResumeBench : IAsyncDisposable
{
    const string Name = "resumed";
    static readonly ConversationId s_conversation = new(Name);
    static readonly GrainId s_grain = new(TenantId.Local.Value, s_conversation.Value);

    readonly RedisStore _store;
    readonly LoadedModel _model;
    readonly TokenEngine _engine;
    readonly ModelCatalog _models = new();
    LocalCluster? _silo;
    ConversationItem _text = MessageItem.Of(Role.User, "");
    int _silos;
    int _turns;

    ResumeBench(RedisStore store, LoadedModel model, int tokens)
    {
        (_store, _model) = (store, model);
        _engine = TokenEngine.Create(model, new EngineOptions
        {
            Threads = Environment.ProcessorCount,
            KvMemoryBytes = model.KvLayout.BlockBytes * (2 * tokens / 32 + 64),
            HostMemoryBytes = 0,
        }, NullLogger.Instance, TimeProvider.System);
        _models.Serve(ServedModel.Load(_engine));
    }

    public static async Task RunAsync(string[] args)
    {
        if (args.Length < 2)
            throw new ArgumentException("Name the redis-server, such as 127.0.0.1:6379, and a model's directory.");
        var tokens = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 2000;
        var rounds = args.Length > 3 ? int.Parse(args[3], CultureInfo.InvariantCulture) : 9;
        await using var store = await RedisStore.ConnectAsync(
            new RedisOptions { Control = args[0], Cluster = $"resume-{SiloMember.NewGeneration()}" }, TimeProvider.System,
            NullLogger.Instance, default);
        using var model = LoadedModel.Load(
            args[1], new ModelOptions { KvType = DType.F16, Threads = Environment.ProcessorCount }, default);
        await using var bench = new ResumeBench(store, model, tokens);
        await bench.MeasureAsync(tokens, rounds);
    }

    async Task MeasureAsync(int tokens, int rounds)
    {
        await StartAsync(SpillOptions.Exact);
        _text = MessageItem.Of(Role.User, await TextAsync(100));
        await TurnAsync("other"); // warms up
        await DropAsync("other");
        _text = MessageItem.Of(Role.User, await TextAsync(tokens));
        var computed = await TurnAsync(Name);
        Console.WriteLine($"{_model.Card.Name}: computed, the first token of {computed.Started.PromptTokens} comes after {computed.Milliseconds:F0} ms");
        foreach (var (name, options) in new[]
        {
            ("exact", SpillOptions.Exact),
            ("--spill-compress", new SpillOptions(Compress: true)),
            ("--spill-int8", new SpillOptions(Quantize: true)),
        })
        {
            await StopAsync();
            await _store.Blobs.ClearAsync(s_grain, default); // so that all is written in this form
            await StartAsync(options);
            await RoundsAsync(name, options, computed.Milliseconds, rounds);
        }
    }

    async Task RoundsAsync(string name, SpillOptions options, double computed, int rounds)
    {
        var (warm, written, resumed, more, ratio) = (new Samples("F1"), new Samples("F0"), new Samples("F1"), new Samples("F1"), new Samples("F0"));
        ConversationInfo? info = null;
        for (var round = -1; round < rounds; round++)
        {
            await TurnAsync(Name);
            var before = await TurnAsync(Name);
            // The engine lets go of a reply a moment after its last token; what is given up before that stays findable.
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, default);
            var writing = Stopwatch.GetTimestamp();
            await _silo!.SpillConversationAsync(TenantId.Local, s_conversation, default);
            var wrote = Stopwatch.GetElapsedTime(writing).TotalMilliseconds;
            await StartAsync(options); // another silo: it reads transcript and manifest too
            info = await _silo!.DescribeConversationAsync(TenantId.Local, s_conversation, default);
            var after = await TurnAsync(Name);
            Check(before.Started, CacheOrigin.Hit);
            Check(after.Started, CacheOrigin.Restored);
            if (round < 0)
                continue;
            warm.Add(before.Milliseconds);
            written.Add(wrote);
            resumed.Add(after.Milliseconds);
            more.Add(after.Milliseconds - before.Milliseconds);
            ratio.Add(computed / after.Milliseconds);
        }
        Console.WriteLine($"{name}: {info!.Bytes / 1e6:F1} MB in Redis for {info.SpilledTokens} tokens; first token warm {warm} ms, "
            + $"from Redis {resumed} ms: {more} ms more, {ratio}x sooner than computing; what was left to write took {written} ms");
    }

    static void Check(TurnStarted started, CacheOrigin expected)
    {
        if (started.Cache != expected || started.CachedTokens < 0.9 * started.PromptTokens)
        {
            throw new InvalidOperationException($"{started.CachedTokens} of {started.PromptTokens} tokens were cached, as "
                + $"{started.Cache}, where {expected} was to be measured: {started.CacheReason}.");
        }
    }

    async Task DropAsync(string conversation)
    {
        await StopAsync();
        var grain = new GrainId(TenantId.Local.Value, conversation);
        await _store.Blobs.ClearAsync(grain, default);
        await _engine.DropAsync(new CacheId(grain.ToString()), default);
        await StartAsync(SpillOptions.Exact);
    }

    /// <summary>A silo with no activation, on the same engine.</summary>
    async Task StartAsync(SpillOptions options)
    {
        await StopAsync();
        var id = $"silo-{_silos++}";
        _silo = new LocalCluster(new GrainHostOptions { Silo = id, SiloIsGone = (other, _) => ValueTask.FromResult(other != id) },
            _store.Grains, _store.Blobs, _models, TimeProvider.System, NullLogger.Instance, options);
    }

    async Task StopAsync()
    {
        if (_silo is not null)
            await _silo.DisposeAsync();
        _silo = null;
    }

    /// <summary>Words of so many tokens.</summary>
    async Task<string> TextAsync(int tokens)
    {
        var random = new Random(1);
        var words = new List<string>();
        for (var have = 0; have < tokens;)
        {
            for (var i = 0; i < Math.Max(1, (tokens - have) / 8); i++)
                words.Add(new string((char)('a' + random.Next(26)), random.Next(2, 8)));
            have = (await _silo!.TokenizeAsync(_model.Card.Name, string.Join(' ', words), false, default)).Length;
        }
        return string.Join(' ', words);
    }

    /// <summary>Asks something new about the text: what came after it before is cut off, so that every turn is as long.</summary>
    /// <returns>The time to the first token, and what the cache was to it.</returns>
    async Task<(double Milliseconds, TurnStarted Started)> TurnAsync(string conversation)
    {
        var turn = new ChatTurn
        {
            Id = new TurnId($"turn-{_turns++}"),
            Tenant = TenantId.Local,
            Conversation = new ConversationId(conversation),
            Model = _model.Card.Name,
            History = HistoryMode.Whole,
            Items = [_text, MessageItem.Of(Role.User, $"{_turns}")],
            BodyHash = "none",
            Generation = new GenerationOptions { MaxTokens = 1, IgnoreEos = true, Sampling = new SamplingOptions { Temperature = 0 } },
        };
        var (start, first, started) = (Stopwatch.GetTimestamp(), 0.0, (TurnStarted?)null);
        await foreach (var happened in _silo!.RunTurnAsync(turn, default))
        {
            started ??= happened as TurnStarted;
            if (happened is TurnDelta or ChoiceFinished && first == 0)
                first = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            if (happened is TurnFailed failed)
                throw new TurnFailedException(failed.Failure);
        }
        return (first, started!);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await _engine.DisposeAsync();
    }
}
