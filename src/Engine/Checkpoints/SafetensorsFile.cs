using Hearth.Kernels;

namespace Hearth.Engine.Checkpoints;

/// <summary>A safetensors file, mapped: its tensors are read in place.</summary>
sealed class SafetensorsFile : ITensorFile
{
    readonly MappedFile _map;
    readonly Dictionary<string, TensorEntry> _tensors;

    SafetensorsFile(string path, MappedFile map, List<TensorEntry> tensors)
    {
        (Path, _map, Tensors) = (path, map, tensors);
        _tensors = tensors.ToDictionary(t => t.Name, StringComparer.Ordinal);
    }

    public string Path { get; }

    /// <summary>In the order of their data.</summary>
    public IReadOnlyList<TensorEntry> Tensors { get; }

    public long Length => _map.Length;

    /// <exception cref="CheckpointException">The file is missing, unreadable or not sound.</exception>
    public static SafetensorsFile Open(string path)
    {
        MappedFile? map = null;
        try
        {
            if (!File.Exists(path))
                throw new CheckpointException(path, null, "the file is missing. Download the checkpoint again.");
            Span<byte> none = [];
            if (new FileInfo(path).Length is var length and 0)
                SafetensorsHeader.Measure(path, none, length);
            map = MappedFile.Open(path);
            var start = map.Slice(0, Math.Min(8, map.Length));
            var header = map.Slice(8, SafetensorsHeader.Measure(path, start.Bytes, map.Length));
            return new(path, map, SafetensorsHeader.Parse(path, header.Bytes, map.Length));
        }
        catch (Exception e)
        {
            map?.Dispose();
            if (e is IOException or UnauthorizedAccessException or InvalidDataException)
                throw new CheckpointException(path, null, $"cannot be read ({e.Message}).", e);
            throw;
        }
    }

    public TensorEntry? Find(string name) => _tensors.GetValueOrDefault(name);

    public TensorMemory Data(TensorEntry tensor) => _map.Slice(tensor.Offset, tensor.Length);

    /// <summary>A part of the file as it lies there.</summary>
    public ReadOnlySpan<byte> Bytes(long offset, int count) => _map.Slice(offset, count).Bytes;

    public void Dispose() => _map.Dispose();
}
