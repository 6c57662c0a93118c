using System.Text.Json.Nodes;

namespace Hearth.Golden.Tests;

/// <summary>A checkpoint of the golden set under another config.json, in a directory of its own.</summary>
sealed class EditedCheckpoint : IDisposable
{
    readonly DirectoryInfo _copy = System.IO.Directory.CreateTempSubdirectory("hearth-");

    EditedCheckpoint(string source, string config)
    {
        foreach (var file in System.IO.Directory.GetFiles(source, "*.safetensors*"))
            File.CreateSymbolicLink(Path.Combine(Directory, Path.GetFileName(file)), file);
        File.WriteAllText(Path.Combine(Directory, "config.json"), config);
    }

    public string Directory => _copy.FullName;

    public static EditedCheckpoint WithConfig(string source, string configFile) =>
        new(source, File.ReadAllText(Path.Combine(source, configFile)));

    public static EditedCheckpoint WithText(string source, string config) => new(source, config);

    public static EditedCheckpoint With(string source, params ReadOnlySpan<(string Field, int Value)> fields)
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(source, "config.json")))!.AsObject();
        foreach (var (field, value) in fields)
            config[field] = value;
        return new(source, config.ToJsonString());
    }

    public void Dispose() => _copy.Delete(recursive: true);
}
