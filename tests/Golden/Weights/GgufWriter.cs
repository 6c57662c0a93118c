using System.Text;

namespace Hearth.Golden.Tests;

/// <summary>Fields and tensors to be written as a GGUF file, version 3.</summary>
sealed class GgufWriter
{
    const int Alignment = 32;

    readonly List<(string Name, object Value)> _fields = [];
    readonly List<(string Name, int[] Shape, uint Type, byte[] Bytes)> _tensors = [];

    public void Field(string name, object? value)
    {
        if (value is not null)
            _fields.Add((name, value));
    }

    /// <param name="shape">Row-major, as safetensors has it.</param>
    /// <param name="type">ggml's number.</param>
    public void Tensor(string name, int[] shape, uint type, byte[] bytes) => _tensors.Add((name, shape, type, bytes));

    public byte[] ToBytes()
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write((ulong)_tensors.Count);
        writer.Write((ulong)_fields.Count);
        foreach (var (name, value) in _fields)
        {
            Text(writer, name);
            Value(writer, value);
        }
        var offset = 0L;
        foreach (var (name, shape, type, bytes) in _tensors)
        {
            Text(writer, name);
            writer.Write((uint)shape.Length);
            foreach (var extent in shape.Reverse())
                writer.Write((ulong)extent);
            writer.Write(type);
            writer.Write((ulong)offset);
            offset += (bytes.Length + Alignment - 1) / Alignment * Alignment;
        }
        foreach (var (_, _, _, bytes) in _tensors)
        {
            writer.Write(new byte[(Alignment - (stream.Position % Alignment)) % Alignment]);
            writer.Write(bytes);
        }
        writer.Flush();
        return stream.ToArray();
    }

    static void Value(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case int number: writer.Write(4u); writer.Write(number); break;
            case float number: writer.Write(6u); writer.Write(number); break;
            case bool flag: writer.Write(7u); writer.Write(flag); break;
            case string text: writer.Write(8u); Text(writer, text); break;
            case IReadOnlyList<string> texts:
                writer.Write(9u);
                writer.Write(8u);
                writer.Write((ulong)texts.Count);
                foreach (var text in texts)
                    Text(writer, text);
                break;
            case IReadOnlyList<float> numbers:
                writer.Write(9u);
                writer.Write(6u);
                writer.Write((ulong)numbers.Count);
                foreach (var number in numbers)
                    writer.Write(number);
                break;
            case IReadOnlyList<int> numbers:
                writer.Write(9u);
                writer.Write(5u);
                writer.Write((ulong)numbers.Count);
                foreach (var number in numbers)
                    writer.Write(number);
                break;
            default:
                throw new ArgumentException($"{value.GetType()} is no value of a field", nameof(value));
        }
    }

    static void Text(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }
}
