using System.IO.MemoryMappedFiles;

namespace Hearth.Kernels;

/// <summary>
/// A file mapped read-only: its pages are the weights, shared with the page cache and never copied.
/// The file must not be truncated while it is open: reading beyond its new end would end the process.
/// </summary>
public sealed unsafe class MappedFile : IDisposable
{
    readonly MemoryMappedFile _file;
    readonly MemoryMappedViewAccessor _view;
    byte* _address;

    MappedFile(string path, MemoryMappedFile file, MemoryMappedViewAccessor view, long length)
    {
        (Path, Length, _file, _view) = (path, length, file, view);
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref _address);
        _address += view.PointerOffset;
    }

    public string Path { get; }

    /// <summary>Size of the file in bytes.</summary>
    public long Length { get; }

    /// <exception cref="IOException">The file is missing, unreadable or empty.</exception>
    public static MappedFile Open(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        var length = stream.Length;
        if (length == 0)
        {
            throw new InvalidDataException($"{path} is empty: there is nothing to map");
        }
        var file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None,
            false);
        try
        {
            return new MappedFile(path, file, file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read), length);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>A part of the file, at any offset; nothing is copied or read yet.</summary>
    public TensorMemory Slice(long offset, long bytes)
    {
        ObjectDisposedException.ThrowIf(_address == null, this);
        return new TensorMemory(this, _address, Length).Slice(offset, bytes);
    }

    public void Dispose()
    {
        if (_address != null)
        {
            _address = null;
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
        }
        _view.Dispose();
        _file.Dispose();
    }
}
