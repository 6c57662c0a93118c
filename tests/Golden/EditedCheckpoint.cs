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

    public void Dispose() => _copy.Delete(recursive: true);
}
