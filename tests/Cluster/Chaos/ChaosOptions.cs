using System.Globalization;

namespace Hearth.Cluster.Tests.Chaos;

/// <summary>A long run of faults under load.</summary>
public sealed record ChaosOptions
{
    public const string Usage = """
        usage: Hearth.Cluster.Tests chaos [--seed N] [--seconds N] [--every SECONDS] [--conversations N] [--busy N] [--out DIR]
        """;

    /// <summary>Of the faults, their times and the turns.</summary>
    public int Seed { get; init; } = 1;
    public TimeSpan Length { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Between two faults.</summary>
    public TimeSpan Every { get; init; } = TimeSpan.FromSeconds(5);
    public int Conversations { get; init; } = 200;

    /// <summary>Conversations with a turn at the same time.</summary>
    public int Busy { get; init; } = 12;

    /// <summary>Where histories, logs and the dump are written.</summary>
    public string Out { get; init; } = Path.Combine("artifacts", "chaos");

    public int SilosMin { get; init; } = 3;
    public int SilosMax { get; init; } = 6;
    public int Gateways { get; init; } = 2;

    /// <exception cref="FormatException">An argument is none of these.</exception>
    public static ChaosOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new ChaosOptions();
        if (arguments.Count % 2 != 0)
            throw new FormatException(Usage);
        foreach (var pair in arguments.Chunk(2))
        {
            options = pair[0] switch
            {
                "--seed" => options with { Seed = Number(pair[1]) },
                "--seconds" => options with { Length = TimeSpan.FromSeconds(Number(pair[1])) },
                "--every" => options with { Every = TimeSpan.FromSeconds(Number(pair[1])) },
                "--conversations" => options with { Conversations = Number(pair[1]) },
                "--busy" => options with { Busy = Number(pair[1]) },
                "--out" => options with { Out = pair[1] },
                _ => throw new FormatException(Usage),
            };
        }
        return options;
    }

    static int Number(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : throw new FormatException(Usage);
}
