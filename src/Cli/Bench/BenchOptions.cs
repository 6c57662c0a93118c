namespace Hearth.Cli.Bench;

sealed record BenchOptions
{
    public required string Model { get; init; }

    /// <summary>Tokens of history before the measured turn.</summary>
    public required IReadOnlyList<int> History { get; init; }

    /// <summary>Chats at once.</summary>
    public required IReadOnlyList<int> Concurrency { get; init; }

    /// <summary>Tokens of the measured turn's message.</summary>
    public required int NewTokens { get; init; }

    public required int MaxTokens { get; init; }
    public required int Repeat { get; init; }
    public required int Seed { get; init; }
}
