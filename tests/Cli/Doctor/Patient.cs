using Hearth.Cli.Doctor;
using Xunit;

namespace Hearth.Cli.Tests.Doctor;

/// <summary>A set-up that is well until a test breaks something, and what the doctor says of it.</summary>
sealed class Patient : IDisposable
{
    // What the tests are told by is nothing a set-up has.
    static Patient() => Array.ForEach(["HEARTH_GOLDEN", "HEARTH_LONG", "HEARTH_SIM_SEEDS"],
        name => Environment.SetEnvironmentVariable(name, null));

    readonly ScratchFolder _scratch = new();

    public Patient()
    {
        Write("proc/self/limits", "Limit                     Soft Limit           Hard Limit           Units\n" +
            "Max open files            65536                65536                files\n");
        Write("proc/meminfo", "MemTotal:       16777216 kB\n");
    }

    /// <summary>Files in place of those of the machine.</summary>
    public Machine Machine => new(_scratch.Path);

    public string Write(string name, string text)
    {
        var path = PathOf(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    /// <summary>A file that its owner alone may read, or everybody.</summary>
    public string WriteSecret(string name, string text, bool isShared = false)
    {
        var path = Write(name, text);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | (isShared ? UnixFileMode.OtherRead : 0));
        return path;
    }

    public string PathOf(string name) => Path.Combine(_scratch.Path, name);

    /// <summary>A copy of the demo model.</summary>
    public string Model()
    {
        var model = Directory.CreateDirectory(PathOf("model")).FullName;
        foreach (var file in Directory.GetFiles(HearthProcess.DemoModel))
            File.Copy(file, Path.Combine(model, Path.GetFileName(file)));
        return model;
    }

    public async Task<Findings> ExamineAsync(params string[] arguments)
    {
        string[] model = arguments.Contains("--model") ? [] : ["--model", HearthProcess.DemoModel];
        string[] memory = arguments.Contains("--kv-memory") ? [] : ["--kv-memory", "64m"];
        string[] host = arguments.Contains("--host-memory") ? [] : ["--host-memory", "64m"];
        var parsed = Verbs.Root().Parse(["doctor", .. arguments, .. model, .. memory, .. host]);
        Assert.Empty(parsed.Errors);
        return await DoctorCommand.ExamineAsync(parsed, Machine, TestContext.Current.CancellationToken);
    }

    /// <summary>The check finds fault with it, in these words, and nothing else is as bad.</summary>
    public async Task SuffersAsync(string check, Verdict verdict, string word, params string[] arguments)
    {
        var findings = await ExamineAsync(arguments);
        Has(findings, check, verdict, word);
        Assert.True(findings.All.All(f => f.Verdict != Verdict.Fail || f.Check == check), string.Join('\n', findings.All));
        Assert.All(findings.All, f => Assert.Equal(f.Verdict == Verdict.Ok, f.Remedy is null));
    }

    public static void Has(Findings findings, string check, Verdict verdict, string word) => Assert.True(
        findings.All.Any(f => f.Check == check && f.Verdict == verdict
            && (f.Says + f.Remedy).Contains(word, StringComparison.Ordinal)), string.Join('\n', findings.All));

    public void Dispose() => _scratch.Dispose();
}
