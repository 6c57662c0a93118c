using Hearth.Actors.Membership;
using Hearth.Contracts;
using Hearth.Grains;
using Hearth.Grains.Tests;
using Hearth.Simulation.Tests.World;
using Hearth.Text;
using Hearth.Text.Templates;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hearth.Simulation.Tests.Cluster;

/// <summary>Silos, gateways and a store in one simulated world.</summary>
sealed class SimCluster
{
    static readonly string _directory = Directory.CreateTempSubdirectory("hearth-simulation-").FullName;
    static readonly ModelCard _card = TinyModel.Write(_directory);
    static readonly (Tokenizer Tokenizer, ChatTemplateFile? Template) _text = ServedModel.ReadText(_directory);

    int _generations;

    public SimCluster(SimWorld world, bool verbose = false)
    {
        World = world;
        StoreProcess = new SimProcess(world, "store");
        Store = new SimStoreServer(world, StoreProcess.Time);
        Network = new SimNetwork(world) { Silence = world.Between(1.5, 4) };
        Logger = verbose ? new SimLogger(world) : NullLogger.Instance;
    }

    public SimWorld World { get; }
    public SimProcess StoreProcess { get; }
    public SimStoreServer Store { get; }
    public SimNetwork Network { get; }
    public ILogger Logger { get; }
    public MembershipOptions Membership { get; } = new();

    /// <summary>Where histories are written; null for none.</summary>
    public SimHistories? Histories { get; set; }

    /// <summary>What silos believe of their own leases; the others believe <see cref="Membership"/>.</summary>
    public MembershipOptions SiloMembership { get; set; } = new();
    public List<SimSilo> Silos { get; } = [];
    public List<SimGateway> Gateways { get; } = [];

    public IEnumerable<SimSilo> LiveSilos => Silos.Where(s => !s.Process.IsDead);
    public IEnumerable<SimGateway> LiveGateways => Gateways.Where(g => !g.Process.IsDead);
    public IEnumerable<SimProcess> Processes => LiveSilos.Select(s => s.Process).Concat(LiveGateways.Select(g => g.Process));

    /// <summary>A served model over this engine.</summary>
    public static ServedModel Serve(ITokenEngine engine) => new(engine, _text.Tokenizer, _text.Template, KnowsDeveloper: false);

    public static ModelCard Card => _card;

    /// <summary>A new generation, the same in every run of a seed.</summary>
    public string NextGeneration() => $"{++_generations:x8}";

    public SimSilo StartSilo(string name)
    {
        var silo = new SimSilo(this, name);
        Silos.Add(silo);
        return silo;
    }

    public SimGateway StartGateway(string name)
    {
        var gateway = new SimGateway(this, name);
        Gateways.Add(gateway);
        return gateway;
    }

    /// <summary>kill -9.</summary>
    public void Kill(SimProcess process)
    {
        process.Kill();
        Network.Died(process);
    }

    public void Pause(SimProcess process, TimeSpan time)
    {
        if (process.IsDead || process.IsPaused)
            return;
        process.Pause();
        Network.Paused(process);
        World.At(time, process.Continue);
    }

    /// <summary>Ends all faults.</summary>
    public void Heal()
    {
        World.Log("heal");
        Network.Heal();
        Network.Slowness = Store.Slowness = 1;
        Store.IsDown = Store.RefusesWrites = false;
        (Store.RequestsLost, Store.AnswersLost, Store.RequestsLate) = (0, 0, 0);
        Store.Cut.Clear();
        Store.Deaf.Clear();
        Store.Continue();
        foreach (var process in Processes)
            process.Continue();
    }

    /// <summary>Gives back what outlives a world.</summary>
    public void Dispose()
    {
        foreach (var gateway in Gateways)
            gateway.Dispose();
    }
}

/// <summary>The product's log lines among the world's events.</summary>
sealed class SimLogger(SimWorld world) : ILogger
{
    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        world.Log($"  {SimProcess.Running?.Name}: {formatter(state, exception)}{(exception is null ? "" : $" [{exception.Message}]")}");
}
