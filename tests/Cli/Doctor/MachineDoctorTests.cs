using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Hearth.Cli.Doctor;
using Xunit;

namespace Hearth.Cli.Tests.Doctor;

/// <summary>Set-ups that are broken without any Redis: each is found, named, and told how to mend.</summary>
public sealed class MachineDoctorTests : IDisposable
{
    const string Free = "http://127.0.0.1:0";

    readonly Patient _patient = new();

    public void Dispose() => _patient.Dispose();

    [Fact]
    public async Task AHealthySetUpIsCalledHealthy()
    {
        var keys = _patient.WriteSecret("keys", "sk-administrator local chat,admin\n");
        var findings = await _patient.ExamineAsync(
            "serve", "--urls", Free, "--data", _patient.PathOf("data"), "--api-key-file", keys);
        Assert.True(findings.All.All(f => f.Verdict == Verdict.Ok), string.Join('\n', findings.All));
    }

    [Fact]
    public Task NoModelFolder() =>
        _patient.SuffersAsync("model", Verdict.Fail, "config.json", "--urls", Free, "--model", "/no/such/model");

    [Fact]
    public Task NoTokenizer() => BrokenModelAsync("tokenizer.json", model => File.Delete(Path.Combine(model, "tokenizer.json")));

    [Fact]
    public Task WeightsThatBreakOff() => BrokenModelAsync("past the end", model =>
    {
        using var file = File.OpenWrite(Path.Combine(model, "model.safetensors"));
        file.SetLength(file.Length / 2);
    });

    [Fact]
    public Task APointerInPlaceOfWeights() => BrokenModelAsync("git lfs pull", model => File.WriteAllText(
        Path.Combine(model, "model.safetensors"), "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"));

    [Fact]
    public Task AShardThatIsMissing() => BrokenModelAsync("model-00001-of-00002.safetensors", model =>
    {
        File.Delete(Path.Combine(model, "model.safetensors"));
        File.WriteAllText(Path.Combine(model, "model.safetensors.index.json"),
            """{"weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors"}}""");
    });

    [Fact]
    public Task AFamilyThatIsNotServed() => BrokenModelAsync("model_type", model => Edit(
        Path.Combine(model, "config.json"), config => config["model_type"] = "mamba"));

    [Fact]
    public Task NoChatTemplate()
    {
        var model = _patient.Model();
        Edit(Path.Combine(model, "tokenizer_config.json"), config => config.Remove("chat_template"));
        return _patient.SuffersAsync("model.template", Verdict.Warn, "chat_template", "--urls", Free, "--model", model);
    }

    [Fact]
    public async Task AFileThatIsNotAsItsChecksumSays()
    {
        var model = _patient.Model();
        var lines = Directory.GetFiles(model)
            .Select(f => $"{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(f)))}  {Path.GetFileName(f)}").ToList();
        await File.WriteAllLinesAsync(Path.Combine(model, "SHA256SUMS"), lines, TestContext.Current.CancellationToken);
        Assert.Equal(0, (await _patient.ExamineAsync("--urls", Free, "--model", model, "--checksums")).Count(Verdict.Fail));
        await File.AppendAllTextAsync(Path.Combine(model, "generation_config.json"), " ", TestContext.Current.CancellationToken);
        await _patient.SuffersAsync(
            "model.checksums", Verdict.Fail, "generation_config.json", "--urls", Free, "--model", model, "--checksums");
    }

    [Fact]
    public Task AContainerTooSmallForItsCaches()
    {
        _patient.Write("sys/fs/cgroup/memory.max", "1073741824\n");
        return _patient.SuffersAsync("memory", Verdict.Fail, "the container's limit", "--urls", Free, "--kv-memory", "1g");
    }

    [Fact]
    public Task CachesTooSmallForTheContext() =>
        _patient.SuffersAsync("kv.memory", Verdict.Warn, "--kv-memory 11m", "--urls", Free, "--kv-memory", "5m");

    [Fact]
    public Task AContextBeyondTheModels() =>
        _patient.SuffersAsync("kv.context", Verdict.Fail, "4096", "--urls", Free, "--context", "100000");

    [Fact]
    public Task ATypeOfCachesThatIsNone() =>
        _patient.SuffersAsync("kv.type", Verdict.Fail, "f32, f16 or bf16", "--urls", Free, "--kv-type", "fp8");

    [Fact]
    public Task MoreThreadsThanProcessors() =>
        _patient.SuffersAsync("cpu.threads", Verdict.Warn, "--threads 4096", "--urls", Free, "--threads", "4096");

    [Fact]
    public Task AGpuWithoutADriver() =>
        _patient.SuffersAsync("device.driver", Verdict.Fail, "no NVIDIA driver", "--urls", Free, "--device", "cuda:0");

    [Fact]
    public async Task AGpuThatIsNotThere()
    {
        _patient.Write("proc/driver/nvidia/version",
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n");
        _patient.Write("dev/nvidia0", "");
        _patient.Write("dev/nvidiactl", "");
        var findings = await _patient.ExamineAsync("--urls", Free, "--device", "cuda:1");
        Patient.Has(findings, "device.driver", Verdict.Ok, "550.54.15");
        Patient.Has(findings, "device", Verdict.Fail, "sees 1 GPUs");
    }

    [Fact]
    public Task TooFewOpenFiles()
    {
        _patient.Write("proc/self/limits", "Max open files            1024                 4096                 files\n");
        return _patient.SuffersAsync("files", Verdict.Fail, "ulimit -n 4608", "--urls", Free);
    }

    [Fact]
    public async Task APortInUse()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        await _patient.SuffersAsync("urls", Verdict.Fail, "another program listens there",
            "--urls", $"http://127.0.0.1:{((IPEndPoint)taken.LocalEndpoint).Port}");
    }

    [Fact]
    public Task AnAddressOfAnotherMachine() =>
        _patient.SuffersAsync("urls", Verdict.Fail, "no such address", "--urls", "http://192.0.2.1:0", "--allow-anonymous");

    [Fact]
    public Task AnApiThatIsOpenToAll() =>
        _patient.SuffersAsync("urls", Verdict.Fail, "--api-key-file", "--urls", "http://0.0.0.0:0");

    [Fact]
    public Task NoApiKeyFile() =>
        _patient.SuffersAsync("api-keys", Verdict.Fail, "nowhere", "--urls", Free, "--api-key-file", "/nowhere/keys");

    [Fact]
    public Task AnApiKeyFileWithABadLine() => _patient.SuffersAsync("api-keys", Verdict.Fail, "line 2",
        "--urls", Free, "--api-key-file", _patient.Write("keys", "sk-administrator local admin\nshort\n"));

    [Fact]
    public Task ApiKeysThatHaveAllExpired() => _patient.SuffersAsync("api-keys", Verdict.Fail, "expired",
        "--urls", Free, "--api-key-file",
        _patient.Write("keys", """{"keys":[{"key":"sk-administrator","expires":"2020-01-01T00:00:00Z"}]}"""));

    [Fact]
    public Task ApiKeysThatEverybodyMayRead() => _patient.SuffersAsync("api-keys", Verdict.Warn, "chmod 600",
        "--urls", Free, "--api-key-file", _patient.WriteSecret("keys", "sk-administrator local admin\n", isShared: true));

    [Fact]
    public Task ADataFolderThatCannotBe() => _patient.SuffersAsync("data", Verdict.Fail, "--data",
        "--urls", Free, "--data", Path.Combine(_patient.Write("file", ""), "below"));

    [Fact]
    public async Task AVariableWithATypingError()
    {
        Environment.SetEnvironmentVariable("HEARTH_KV_MEMROY", "4g");
        try
        {
            await _patient.SuffersAsync("environment", Verdict.Warn, "did you mean HEARTH_KV_MEMORY?", "--urls", Free);
        }
        finally
        {
            Environment.SetEnvironmentVariable("HEARTH_KV_MEMROY", null);
        }
    }

    [Fact]
    public async Task TheVerbTellsByItsExitCodeAndAsJson()
    {
        var (code, output) = await HearthProcess.RunAsync(["doctor", "serve", "--urls", Free, "--model", "/no/such/model", "--json"]);
        Assert.True(code == 1, output);
        var report = JsonNode.Parse(output)!;
        Assert.False(report["ok"]!.GetValue<bool>());
        Assert.Contains(report["checks"]!.AsArray(), c => c!["check"]!.GetValue<string>() == "model"
            && c["verdict"]!.GetValue<string>() == "fail" && c["remedy"] is not null);
        (code, output) = await HearthProcess.RunAsync(["doctor", "serve", "--urls", Free, "--kv-memory", "64m", "--host-memory", "1m"]);
        Assert.True(code == 0 && output.Contains("0 failed", StringComparison.Ordinal), output);
    }

    Task BrokenModelAsync(string word, Action<string> harm)
    {
        var model = _patient.Model();
        harm(model);
        return _patient.SuffersAsync("model", Verdict.Fail, word, "--urls", Free, "--model", model);
    }

    static void Edit(string path, Action<JsonObject> change)
    {
        var root = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        change(root);
        File.WriteAllText(path, root.ToJsonString());
    }
}
