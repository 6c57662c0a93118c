using System.Text.Json.Serialization;
using Spectre.Console;

namespace Hearth.Cli.Bench;

/// <summary>What was measured: every sample, and the medians that people read.</summary>
sealed record BenchReport
{
    public required string Url { get; init; }
    public required string Model { get; init; }
    public required string Machine { get; init; }
    public required int NewTokens { get; init; }
    public required int MaxTokens { get; init; }
    public List<TurnSample> Turns { get; } = [];
    public List<LoadSample> Load { get; } = [];

    public void WriteTables(IAnsiConsole console)
    {
        WriteTurns(console);
        WriteLoad(console);
    }

    void WriteTurns(IAnsiConsole console)
    {
        var table = new Table().Border(TableBorder.Ascii2)
            .Title($"{Model}: time to first token of a turn of {NewTokens} new tokens");
        table.AddColumns("history", "turn", "cache", "cached tokens", "first token ms", "min-max", "tokens/s");
        foreach (var group in Turns.GroupBy(t => (t.History, t.Kind)))
        {
            var first = group.Select(t => t.FirstTokenMs).Order().ToList();
            table.AddRow(
                $"{group.Key.History}", group.Key.Kind, group.Last().Cache ?? "-",
                $"{group.Last().CachedTokens}/{group.Last().PromptTokens}",
                $"{Median(first):0.0}", $"{first[0]:0.0}-{first[^1]:0.0}", $"{Median(group.Select(t => t.TokensPerSecond)):0.0}");
        }
        console.Write(table);
    }

    void WriteLoad(IAnsiConsole console)
    {
        if (Load.Count == 0)
            return;
        var alone = Median(Load.Where(l => l.Concurrency == Load[0].Concurrency).Select(l => l.TokensPerSecond));
        var table = new Table().Title($"{Model}: chats at once, {MaxTokens} tokens each").Border(TableBorder.Ascii2);
        table.AddColumns("at once", "tokens/s", "min-max", $"against {Load[0].Concurrency}", "first token ms", "failed");
        foreach (var group in Load.GroupBy(l => l.Concurrency))
        {
            var rates = group.Select(l => l.TokensPerSecond).Order().ToList();
            table.AddRow(
                $"{group.Key}", $"{Median(rates):0.0}", $"{rates[0]:0.0}-{rates[^1]:0.0}", $"{Median(rates) / alone:0.00}x",
                $"{Median(group.Select(l => l.FirstTokenMs)):0}", $"{group.Sum(l => l.Failed)}");
        }
        console.Write(table);
    }

    public static double Median(IEnumerable<double> samples)
    {
        var sorted = samples.Order().ToList();
        return sorted.Count == 0 ? 0 : (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }
}

/// <param name="Kind">cold, warm or resumed.</param>
sealed record TurnSample(
    int History, string Kind, string? Cache, int PromptTokens, int CachedTokens, double FirstTokenMs, double TokensPerSecond);

sealed record LoadSample(int Concurrency, double TokensPerSecond, double FirstTokenMs, int Failed);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(BenchReport))]
sealed partial class BenchJson : JsonSerializerContext;
