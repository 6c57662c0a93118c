using Hearth.Kernels;

namespace Hearth.Engine.Checkpoints;

/// <summary>A model's files: a directory as Hugging Face lays it out (config.json, generation_config.json, and the weights in
/// model.safetensors or in the shards that model.safetensors.index.json names), or one GGUF file, whose fields and tensors
/// then have the names that Hugging Face gives them.</summary>
sealed class Checkpoint : IDisposable
{
    const string SingleName = "model.safetensors";
    internal const string IndexName = "model.safetensors.index.json";

    readonly Dictionary<string, (ITensorFile File, TensorEntry Entry)> _tensors = new(StringComparer.Ordinal);
    readonly List<ITensorFile> _files = [];

    Checkpoint(string directory, ConfigSection config) => (Directory, Config) = (directory, config);

    /// <summary>The directory or the GGUF file.</summary>
    public string Directory { get; }
    public ConfigSection Config { get; }
    public IReadOnlyList<ITensorFile> Files => _files;
    public IEnumerable<TensorEntry> Tensors => _tensors.Values.Select(t => t.Entry);

    /// <exception cref="CheckpointException">Something is missing or not sound.</exception>
    public static Checkpoint Open(string directory)
    {
        if (GgufFile.Is(directory))
            return OpenGguf(directory);
        var checkpoint = new Checkpoint(directory, ReadConfig(directory));
        try
        {
            checkpoint.OpenFiles();
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <exception cref="CheckpointException">config.json is missing or not sound.</exception>
    public static ConfigSection ReadConfig(string directory)
    {
        if (GgufFile.Is(directory))
        {
            using var gguf = GgufFile.Open(directory);
            return GgufConfig.Of(gguf);
        }
        var file = Path.Combine(directory, "config.json");
        return ConfigSection.Read(file) ?? throw new CheckpointException(
            file, null, "the file is missing. Name a directory with a Hugging Face checkpoint, or a .gguf file.");
    }

    /// <summary>Ids that end a reply: those of generation_config.json, else of config.json.</summary>
    public int[] EosTokens(int vocabularySize)
    {
        var generation = ConfigSection.Read(Path.Combine(Directory, "generation_config.json"));
        foreach (var config in new[] { generation, Config })
        {
            if (config?.IntsOf("eos_token_id", 0, vocabularySize - 1, CheckpointLimits.EosTokensMax) is { } ids)
                return ids;
        }
        return [];
    }

    public bool Contains(string name) => _tensors.ContainsKey(name);

    /// <exception cref="CheckpointException">The tensor is missing or has another shape.</exception>
    public (TensorEntry Entry, TensorMemory Data) Tensor(string name, params ReadOnlySpan<long> shape)
    {
        if (!_tensors.TryGetValue(name, out var found))
        {
            throw new CheckpointException(Directory, name,
                "the tensor is missing. The checkpoint is not complete or not of this family.");
        }
        if (!found.Entry.Shape.AsSpan().SequenceEqual(shape))
        {
            throw new CheckpointException(found.File.Path, name,
                $"has shape {found.Entry.ShapeText}; config.json asks for [{string.Join(", ", shape.ToArray())}].");
        }
        return (found.Entry, found.File.Data(found.Entry));
    }

    /// <summary>A tensor of whatever shape; null if there is none of that name.</summary>
    public TensorEntry? Find(string name) => _tensors.TryGetValue(name, out var found) ? found.Entry : null;

    public string FileOf(string name) => _tensors.TryGetValue(name, out var found) ? found.File.Path : Directory;

    public void Dispose()
    {
        foreach (var file in _files)
            file.Dispose();
    }

    static Checkpoint OpenGguf(string path)
    {
        var file = GgufFile.Open(path);
        try
        {
            var checkpoint = new Checkpoint(path, GgufConfig.Of(file));
            checkpoint._files.Add(file);
            foreach (var entry in file.Tensors)
                checkpoint._tensors.Add(entry.Name, (file, entry));
            return checkpoint;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    void OpenFiles()
    {
        var single = Path.Combine(Directory, SingleName);
        var indexFile = Path.Combine(Directory, IndexName);
        if (File.Exists(single))
        {
            var file = SafetensorsFile.Open(single);
            _files.Add(file);
            foreach (var entry in file.Tensors)
                _tensors.Add(entry.Name, (file, entry));
        }
        else if (ConfigSection.Read(indexFile, CheckpointLimits.IndexBytesMax) is { } index)
        {
            OpenShards(indexFile, index);
        }
        else
        {
            throw new CheckpointException(Directory, null,
                $"has neither {SingleName} nor {IndexName}. Convert the weights to safetensors.");
        }
    }

    void OpenShards(string indexFile, ConfigSection index)
    {
        var map = index.Section("weight_map") ?? throw index.Bad("weight_map", "is missing");
        var shards = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        foreach (var (tensor, name) in map.Strings())
        {
            if (!shards.TryGetValue(name, out var shard))
            {
                // A plain file name: the index must not lead out of the checkpoint's directory.
                if (name.AsSpan().ContainsAny("/\\:\0") || !name.EndsWith(".safetensors", StringComparison.Ordinal))
                    throw map.Bad(tensor, $"names the file '{name}', which is not a safetensors file of this directory");
                if (shards.Count == CheckpointLimits.ShardsMax)
                    throw index.Bad("weight_map", $"names more than {CheckpointLimits.ShardsMax} files");
                shard = SafetensorsFile.Open(Path.Combine(Directory, name));
                _files.Add(shard);
                shards.Add(name, shard);
            }
            var entry = shard.Find(tensor) ?? throw new CheckpointException(shard.Path, tensor,
                $"the tensor is not in this file although {IndexName} says so. Download the checkpoint again.");
            _tensors.Add(tensor, (shard, entry));
        }
    }
}
