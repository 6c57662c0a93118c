using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json;
using Hearth.Cli.Bench;
using Hearth.Cli.Client;

namespace Hearth.Cli;

/// <summary><c>hearth bench</c>: multi-turn chats against any OpenAI-compatible server, as a table and as JSON.</summary>
static class BenchCommand
{
    public static Command Create()
    {
        var url = Flag.Text("--url", "The server", "http://127.0.0.1:8080");
        var apiKey = Flag.Text("--api-key", "The key, if the server wants one");
        var model = Flag.Text("--served-model", "The model's name; the first one listed if not given");
        var history = Flag.Text("--history", "Tokens of history before the measured turn, a list", "0,500,1000,2000");
        var concurrency = Flag.Text("--concurrency", "Chats at once, a list; empty skips this part", "1,4,16");
        var newTokens = Flag.Number("--new-tokens", "Tokens of the measured message", 32);
        var maxTokens = Flag.Number("--max-tokens", "Tokens of the measured reply", 64);
        var repeat = Flag.Number("--repeat", "Rounds; the table shows medians", 3);
        var seed = Flag.Number("--seed", "Seed of the messages", 1);
        var json = Flag.Text("--json", "Also write all samples to this file");
        var command = new Command("bench", "Measure a server: cold, warm and resumed turns, and many chats at once.\n\n" +
            "Example: hearth bench --url http://127.0.0.1:8080 --history 0,2000 --json bench.json")
        {
            url, apiKey, model, history, concurrency, newTokens, maxTokens, repeat, seed, json,
        };
        command.SetAction(async (arguments, cancellationToken) =>
        {
            using var client = new ChatClient(arguments.GetValue(url)!, arguments.GetValue(apiKey));
            var options = new BenchOptions
            {
                Model = arguments.GetValue(model) ?? (await client.FirstModelAsync(cancellationToken)).Id,
                History = Numbers("--history", arguments.GetValue(history)!),
                Concurrency = Numbers("--concurrency", arguments.GetValue(concurrency)!),
                NewTokens = arguments.GetValue(newTokens),
                MaxTokens = arguments.GetValue(maxTokens),
                Repeat = arguments.GetValue(repeat),
                Seed = arguments.GetValue(seed),
            };
            var report = await RunAsync(client, options, cancellationToken);
            report.WriteTables(Terminal.Console);
            if (arguments.GetValue(json) is { Length: > 0 } path)
            {
                await File.WriteAllTextAsync(
                    path, JsonSerializer.Serialize(report, BenchJson.Default.BenchReport), cancellationToken);
            }
            return report.Load.Sum(l => l.Failed) == 0 ? ExitCodes.Success : ExitCodes.Failure;
        });
        return command;
    }

    static async Task<BenchReport> RunAsync(ChatClient client, BenchOptions options, CancellationToken cancellationToken)
    {
        var prompts = await PromptText.CalibrateAsync(client, options.Model, options.Seed, cancellationToken);
        var run = new BenchRun(client, options, prompts, TimeProvider.System);
        var report = new BenchReport
        {
            Url = client.Address.ToString(),
            Model = options.Model,
            Machine = $"{Environment.ProcessorCount} cores, {RuntimeInformation.OSDescription}, " +
                RuntimeInformation.FrameworkDescription,
            NewTokens = options.NewTokens,
            MaxTokens = options.MaxTokens,
        };
        await run.MeasureTurnsAsync(report, Console.Error.WriteLine, cancellationToken);
        await run.MeasureLoadAsync(report, Console.Error.WriteLine, cancellationToken);
        return report;
    }

    static List<int> Numbers(string flag, string text)
    {
        var numbers = new List<int>();
        foreach (var part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            numbers.Add(int.TryParse(part, out var number) && number >= 0
                ? number
                : throw new CliException($"{flag}: '{part}' is not a number; write a list such as 0,500,2000.", ExitCodes.Usage));
        }
        return numbers;
    }
}
