using System.Text;
using System.Text.Json.Nodes;
using Xunit;

namespace Hearth.Cli.Tests;

/// <summary>Model directories from an enemy, each given to a process of its own with bounded memory: one sentence that names the
/// file and what is wrong in it, exit code 70, no stack. Each file by itself is tried more widely in the tests of its
/// reader.</summary>
public sealed class HostileModelTests : IDisposable
{
    const int HeapBytes = 256 << 20;

    readonly ScratchFolder _scratch = new();
    readonly string _model;

    public HostileModelTests()
    {
        _model = Directory.CreateDirectory(Path.Combine(_scratch.Path, "model")).FullName;
        foreach (var file in Directory.GetFiles(HearthProcess.DemoModel))
            File.Copy(file, PathOf(Path.GetFileName(file)));
    }

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public Task AHeaderLongerThanTheFile()
    {
        using (var file = File.OpenWrite(PathOf("model.safetensors")))
            file.Write([255, 255, 255, 255, 255, 255, 255, 127]);
        return RefusedAsync("model.safetensors", "header");
    }

    [Fact]
    public Task WeightsThatBreakOff()
    {
        using (var file = File.OpenWrite(PathOf("model.safetensors")))
            file.SetLength(file.Length / 2);
        return RefusedAsync("model.safetensors", "past the end of the file");
    }

    [Fact]
    public Task AnIndexThatLeadsOutOfTheDirectory()
    {
        File.Delete(PathOf("model.safetensors"));
        Write("model.safetensors.index.json", """{"weight_map": {"model.norm.weight": "../model.safetensors"}}""");
        return RefusedAsync("model.safetensors.index.json", "weight_map.model.norm.weight");
    }

    [Theory]
    [InlineData("config.json", "num_hidden_layers", "2000000000", "num_hidden_layers")]
    [InlineData("config.json", "model_type", "\"evil\\n\\u001b[31m\"", "model_type")]
    [InlineData("tokenizer_config.json", "chat_template", "\"{% for i in range(10**9) %}x{% endfor %}\"", "range")]
    [InlineData("tokenizer_config.json", "chat_template", "\"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}\"", "deep")]
    [InlineData("tokenizer_config.json", "chat_template", "[{\"name\": \"x\", \"template\": \"y\"}]", "default")]
    [InlineData("tokenizer_config.json", "chat_template", "\"\\ud800\"", "chat_template")]
    [InlineData("tokenizer_config.json", "chat_template", "7", "chat_template")]
    [InlineData("tokenizer_config.json", "chat_template", "\"\"", "chat_template")]
    [InlineData("tokenizer.json", "model", "{\"type\": \"BPE\", \"vocab\": {}, \"merges\": []}", "model.vocab")]
    public Task AFieldThatMakesNoModel(string file, string field, string value, string named)
    {
        var root = JsonNode.Parse(File.ReadAllText(PathOf(file)))!.AsObject();
        root.Remove(field);
        var json = root.ToJsonString();
        Write(file, $"{json[..^1]}, \"{field}\": {value}}}");
        return RefusedAsync(file, named);
    }

    [Theory]
    [InlineData("special_tokens_map.json", "{")]
    [InlineData("chat_template.jinja", "\u00ff")]
    public Task AFileThatIsNotWhatItShouldBe(string file, string latin1)
    {
        File.WriteAllBytes(PathOf(file), Encoding.Latin1.GetBytes(latin1));
        return RefusedAsync(file, "is not");
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("tokenizer.json")]
    [InlineData("chat_template.jinja")]
    public Task AFileWithoutEnd(string file)
    {
        Assert.SkipUnless(File.Exists("/dev/zero"), "needs a device without end");
        File.Delete(PathOf(file));
        File.CreateSymbolicLink(PathOf(file), "/dev/zero");
        return RefusedAsync(file, "plain file");
    }

    [Theory]
    [InlineData("GGUF\u0003\0\0\0\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u007f", "tensor_count")]
    [InlineData("<html>", "magic")]
    public async Task AGgufFileThatIsNone(string latin1, string named)
    {
        File.WriteAllBytes(PathOf("model.gguf"), Encoding.Latin1.GetBytes(latin1));
        var end = await HearthProcess.RunAsync(["model", "inspect", PathOf("model.gguf")], heapBytes: HeapBytes);
        Refused(end, "model.gguf", named);
    }

    [Fact]
    public async Task InspectReadsTheTextSideToo()
    {
        File.Delete(PathOf("tokenizer.json"));
        Refused(await HearthProcess.RunAsync(["model", "inspect", _model], heapBytes: HeapBytes), "tokenizer.json", "exist");
    }

    async Task RefusedAsync(string file, string named) => Refused(
        await HearthProcess.RunAsync(
            ["serve", "--urls", "http://127.0.0.1:0", "--data", Path.Combine(_scratch.Path, "data"), "--kv-memory", "8m",
                "--host-memory", "0", "--model", _model], heapBytes: HeapBytes),
        file, named);

    static void Refused((int ExitCode, string Output) end, string file, string named)
    {
        Assert.True(end.ExitCode == 70, $"{end.ExitCode}: {end.Output}");
        Assert.Contains(file, end.Output, StringComparison.Ordinal);
        Assert.Contains(named, end.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(end.Output, char.IsControl);
    }

    string PathOf(string file) => Path.Combine(_model, file);

    void Write(string file, string text) => File.WriteAllText(PathOf(file), text);
}
