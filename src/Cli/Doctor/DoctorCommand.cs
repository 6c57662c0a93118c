using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using Spectre.Console;

namespace Hearth.Cli.Doctor;

/// <summary><c>hearth doctor</c>: would a process with these flags start here and be well, and if not, what is to be
/// done.</summary>
static class DoctorCommand
{
    static readonly Argument<string?> _role = new("ROLE")
    {
        Description = "What is to run here: serve, silo or gateway; all that the flags speak of if not given",
        Arity = ArgumentArity.ZeroOrOne,
    };

    static readonly Option<bool> _checksums =
        Flag.Switch("--checksums", "Read the whole model, and compare it with its SHA256SUMS");

    static readonly Option<bool> _json = new("--json") { Description = "Write JSON in place of lines" };

    public static Command Create()
    {
        _role.AcceptOnlyFromAmong("serve", "silo", "gateway");
        var command = new Command("doctor",
            "Check whether hearth would run well with the same flags and variables: Redis, ports, model, memory, keys.\n" +
            "Ends with 1 if something must be mended.\n\nExample: hearth doctor silo --redis 127.0.0.1:6379 --model ./llama")
        {
            _role, _checksums, _json,
        };
        foreach (var flag in DoctorFlags.All)
            command.Options.Add(flag);
        command.SetAction(RunAsync);
        return command;
    }

    /// <param name="machine">The real one, or a test's.</param>
    public static async Task<Findings> ExamineAsync(ParseResult arguments, Machine machine, CancellationToken cancellationToken)
    {
        var findings = new Findings();
        await new Examination(findings, arguments, arguments.GetValue(_role), machine, TimeProvider.System)
            .RunAsync(arguments.GetValue(_checksums), cancellationToken);
        return findings;
    }

    static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var findings = await ExamineAsync(arguments, new Machine("/"), cancellationToken);
        if (arguments.GetValue(_json))
            Console.WriteLine(JsonSerializer.Serialize(ReportOf(findings), DoctorJson.Default.DoctorReport));
        else
            Show(findings);
        return findings.Count(Verdict.Fail) == 0 ? ExitCodes.Success : ExitCodes.Failure;
    }

    static DoctorReport ReportOf(Findings findings) => new(
        findings.Count(Verdict.Fail) == 0, findings.Count(Verdict.Fail), findings.Count(Verdict.Warn), findings.All);

    static void Show(Findings findings)
    {
        var width = findings.All.Max(f => f.Check.Length);
        foreach (var finding in findings.All)
        {
            var (colour, word) = finding.Verdict switch
            {
                Verdict.Ok => (Color.Green, "ok  "),
                Verdict.Warn => (Color.Yellow, "warn"),
                _ => (Color.Red, "FAIL"),
            };
            Terminal.Console.Write(new Text(word, new Style(colour)));
            Line($"  {finding.Check.PadRight(width)}  {finding.Says}");
            if (finding.Remedy is not null)
                Line($"      {new string(' ', width)}  -> {finding.Remedy}");
        }
        Line($"{findings.Count(Verdict.Fail)} failed, {findings.Count(Verdict.Warn)} warnings, {findings.Count(Verdict.Ok)} ok");
    }

    // Not through the console's layout, which would break long lines that a grep or an editor should get whole.
    static void Line(string text) => Console.WriteLine(string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c)));
}

sealed record DoctorReport(bool Ok, int Failed, int Warnings, IReadOnlyList<Finding> Checks);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(DoctorReport))]
sealed partial class DoctorJson : JsonSerializerContext;
