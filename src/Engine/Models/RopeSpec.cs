using Hearth.Engine.Checkpoints;
using Hearth.Kernels;

namespace Hearth.Engine.Models;

enum RopeKind
{
    Plain,

    /// <summary>Positions divided by the factor.</summary>
    Linear,

    /// <summary>NTK-aware: the base grows with the sequence's length beyond the trained context.</summary>
    Dynamic,

    /// <summary>Long wavelengths are stretched, short ones kept, smoothly between (Llama 3.1).</summary>
    Llama3,

    /// <summary>NTK by parts with an attention factor (arXiv 2309.00071).</summary>
    Yarn,

    /// <summary>One factor per pair, from one list up to the trained context and from another beyond it (arXiv
    /// 2402.13753).</summary>
    LongRope,
}

/// <summary>How positions turn queries and keys.</summary>
/// <param name="Dim">Dimensions of a head that turn, from <see cref="First"/> on.</param>
/// <param name="TrainedContext">Positions before any stretching.</param>
sealed record RopeSpec(RopeKind Kind, int Dim, double Theta, int TrainedContext)
{
    public int First { get; init; }

    /// <summary>Pairs are (i, i + Dim / 2), as Llama has them, or (2i, 2i + 1).</summary>
    public RopeStyle Style { get; init; }
    public double Factor { get; init; } = 1;

    /// <summary>Llama3: wavelengths beyond TrainedContext / this are stretched.</summary>
    public double LowFrequencyFactor { get; init; } = 1;

    /// <summary>Llama3: wavelengths below TrainedContext / this are kept.</summary>
    public double HighFrequencyFactor { get; init; } = 4;

    /// <summary>Yarn: positions before stretching, for its reach. The blend by parts counts rotations over
    /// max_position_embeddings, as transformers 4.48 does, whose outputs are matched; releases from 4.50 on count them over
    /// this one where a config names it.</summary>
    public int OriginalContext { get; init; } = TrainedContext;

    /// <summary>Yarn: rotations over the trained context from which a dimension is kept.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>Yarn: rotations over the trained context up to which a dimension is stretched.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>LongRope: what the frequencies are divided by, [Dim / 2]; up to the trained context and beyond it.</summary>
    public double[] ShortFactors { get; init; } = [];
    public double[] LongFactors { get; init; } = [];

    /// <summary>Factor of cosines and sines.</summary>
    public double AttentionFactor { get; init; } = 1;

    /// <summary>Reads <c>rope_theta</c> and <c>rope_scaling</c> (transformers 4) or <c>rope_parameters</c> (transformers
    /// 5).</summary>
    /// <param name="dim">Dimensions of a head that turn.</param>
    /// <param name="positionsMax">config.json's max_position_embeddings.</param>
    /// <param name="layerType">Which of rope_parameters' sections, where each type of layer has one.</param>
    /// <param name="theta">The base, if config.json does not say.</param>
    public static RopeSpec Read(ConfigSection config, int dim, int positionsMax, string? layerType = null, double theta = 10000)
    {
        var parameters = config.Section("rope_parameters");
        var scaling = (layerType is null ? null : parameters?.Section(layerType)) ?? parameters ?? config.Section("rope_scaling");
        theta = scaling?.NumberOrNull("rope_theta", 1, 1e15) ?? config.NumberOrNull("rope_theta", 1, 1e15) ?? theta;
        var plain = new RopeSpec(RopeKind.Plain, dim, theta, positionsMax);
        if (dim < 2 || dim % 2 != 0)
            throw config.Bad("head_dim", $"gives {dim} dimensions that turn; it must be an even number");
        if (scaling is null)
            return plain;
        return (scaling.String("rope_type") ?? scaling.String("type") ?? "default") switch
        {
            "default" => plain,
            "linear" => plain with { Kind = RopeKind.Linear, Factor = FactorOf(scaling) },
            "dynamic" => plain with { Kind = RopeKind.Dynamic, Factor = FactorOf(scaling) },
            "llama3" => ReadLlama3(plain, scaling),
            "yarn" => ReadYarn(plain, scaling),
            "longrope" => ReadLongRope(plain, scaling, config),
            var other => throw scaling.Bad("rope_type",
                $"'{other}' is not supported; supported are default, linear, dynamic, llama3, yarn and longrope"),
        };
    }

    /// <summary>Positions that the rotation reaches: stretching multiplies the trained context.</summary>
    public int ContextLength(int positionsMax) => Kind switch
    {
        RopeKind.Linear or RopeKind.Dynamic => Stretch(positionsMax),
        RopeKind.Yarn => Math.Max(positionsMax, Stretch(OriginalContext)),
        _ => positionsMax,
    };

    int Stretch(int positions) => (int)Math.Min(positions * Factor, CheckpointLimits.ContextMax);

    static RopeSpec ReadLlama3(RopeSpec plain, ConfigSection scaling)
    {
        var spec = plain with
        {
            Kind = RopeKind.Llama3,
            Factor = FactorOf(scaling),
            LowFrequencyFactor = scaling.Number("low_freq_factor", 1e-3, 1e6),
            HighFrequencyFactor = scaling.Number("high_freq_factor", 1e-3, 1e6),
            TrainedContext = scaling.Int("original_max_position_embeddings", 1, CheckpointLimits.ContextMax),
        };
        return spec.HighFrequencyFactor > spec.LowFrequencyFactor
            ? spec
            : throw scaling.Bad("high_freq_factor", "must be greater than low_freq_factor");
    }

    static RopeSpec ReadYarn(RopeSpec plain, ConfigSection scaling)
    {
        var factor = FactorOf(scaling);
        return plain with
        {
            Kind = RopeKind.Yarn,
            Factor = factor,
            BetaFast = scaling.NumberOrNull("beta_fast", 1e-3, 1e6) ?? 32,
            BetaSlow = scaling.NumberOrNull("beta_slow", 1e-3, 1e6) ?? 1,
            AttentionFactor = scaling.NumberOrNull("attention_factor", 1e-3, 1e3) ?? 0.1 * Math.Log(factor) + 1,
            OriginalContext = scaling.IntOrNull("original_max_position_embeddings", 1, CheckpointLimits.ContextMax)
                ?? plain.TrainedContext,
        };
    }

    /// <summary>Phi-3 keeps the trained context beside rope_scaling, not in it.</summary>
    static RopeSpec ReadLongRope(RopeSpec plain, ConfigSection scaling, ConfigSection config)
    {
        const string Original = "original_max_position_embeddings";
        var trained = scaling.IntOrNull(Original, 2, CheckpointLimits.ContextMax)
            ?? config.IntOrNull(Original, 2, CheckpointLimits.ContextMax) ?? plain.TrainedContext;
        var growth = scaling.NumberOrNull("factor", 1, 1e4) ?? (double)plain.TrainedContext / trained;
        return plain with
        {
            Kind = RopeKind.LongRope,
            TrainedContext = trained,
            ShortFactors = Factors(scaling, "short_factor", plain.Dim / 2),
            LongFactors = Factors(scaling, "long_factor", plain.Dim / 2),
            AttentionFactor = scaling.NumberOrNull("attention_factor", 1e-3, 1e3)
                ?? (growth <= 1 ? 1 : Math.Sqrt(1 + Math.Log(growth) / Math.Log(trained))),
        };
    }

    static double[] Factors(ConfigSection scaling, string name, int count) =>
        scaling.NumbersOf(name, 1e-3, 1e6, count) is { } factors && factors.Length == count
            ? factors
            : throw scaling.Bad(name, $"must be a list of {count} numbers, one for each pair of dimensions that turn");

    static double FactorOf(ConfigSection scaling) => scaling.Number("factor", 1, 1e4);
}
