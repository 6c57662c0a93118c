using Hearth.Kernels;

namespace Hearth.Engine.Checkpoints;

/// <summary>A GGUF file, mapped. Its tensors have the names and the order of rows that Hugging Face gives them; the few that are
/// stored otherwise are copied when they are asked for.</summary>
sealed class GgufFile : ITensorFile
{
    readonly MappedFile _map;
    readonly Dictionary<string, GgufTensor> _tensors;
    readonly List<NativeBuffer> _copies = [];

    GgufFile(MappedFile map, GgufHeader header)
    {
        (_map, Fields) = (map, header.Fields);
        (Stored, Names) = (header.Tensors, GgufNames.Of(map.Path, header.Fields));
        _tensors = [];
        foreach (var entry in header.Tensors)
        {
            if (Names.Find(entry) is { } tensor && !_tensors.TryAdd(tensor.Entry.Name, tensor))
                throw new CheckpointException(map.Path, entry.Name, "stands for the same tensor as another one.");
        }
    }

    public string Path => _map.Path;

    public long Length => _map.Length;

    public GgufFields Fields { get; }

    public GgufNames Names { get; }

    /// <summary>By the names of the file.</summary>
    public IReadOnlyList<TensorEntry> Stored { get; }

    /// <summary>By Hugging Face's names; without those that are settings in truth.</summary>
    public IEnumerable<TensorEntry> Tensors => _tensors.Values.Select(t => t.Entry);

    /// <summary>Whether a path names such a file, rather than a directory.</summary>
    public static bool Is(string path) =>
        path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) && !Directory.Exists(path);

    /// <exception cref="CheckpointException">The file is missing, unreadable, not sound, or of a kind that is not
    /// served.</exception>
    public static GgufFile Open(string path)
    {
        MappedFile? map = null;
        try
        {
            if (!File.Exists(path))
                throw new CheckpointException(path, null, "the file is missing. Name a .gguf file or a checkpoint's directory.");
            // A link's own length is not that of its file. Devices have none: reading one might never end.
            if (((File.ResolveLinkTarget(path, returnFinalTarget: true) as FileInfo) ?? new FileInfo(path)).Length == 0)
                throw new CheckpointException(path, null, "is empty, or no plain file.");
            map = MappedFile.Open(path);
            return new(map, GgufHeader.Parse(path, map.Slice(0, map.Length)));
        }
        catch (Exception e)
        {
            map?.Dispose();
            if (e is IOException or UnauthorizedAccessException or InvalidDataException)
                throw new CheckpointException(path, null, $"cannot be read ({e.Message}).", e);
            throw;
        }
    }

    public TensorMemory Data(TensorEntry tensor)
    {
        var data = _map.Slice(tensor.Offset, tensor.Length);
        return _tensors.TryGetValue(tensor.Name, out var known) ? known.Undo(data, Copy) : data;
    }

    public ReadOnlySpan<byte> Bytes(long offset, int count) => _map.Slice(offset, count).Bytes;

    public void Dispose()
    {
        foreach (var copy in _copies)
            copy.Dispose();
        _map.Dispose();
    }

    NativeBuffer Copy(long bytes)
    {
        var copy = new NativeBuffer(bytes);
        _copies.Add(copy);
        return copy;
    }
}
