using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Hearth.Golden.Tests;

/// <summary>Tensors to be written as a safetensors file.</summary>
sealed class SafetensorsWriter
{
    readonly Dictionary<string, object> _table = [];
    readonly List<byte> _data = [];

    public void Add(string name, string type, ReadOnlySpan<byte> bytes, params int[] shape)
    {
        _table.Add(name, new { dtype = type, shape, data_offsets = new[] { _data.Count, _data.Count + bytes.Length } });
        _data.AddRange(bytes);
    }

    public void Add<T>(string name, string type, T[] values, params int[] shape) where T : unmanaged =>
        Add(name, type, MemoryMarshal.AsBytes<T>(values), shape);

    public void Write(string path)
    {
        var header = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(_table));
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        File.WriteAllBytes(path, [.. length, .. header, .. _data]);
    }
}
