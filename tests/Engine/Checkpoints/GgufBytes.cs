using System.Text;

namespace Hearth.Engine.Tests.Checkpoints;

/// <summary>A small Llama as a GGUF file, to be spoiled.</summary>
static class GgufBytes
{
    static readonly (string Name, object Value)[] Fields =
    [
        ("general.architecture", "llama"), ("llama.context_length", 64), ("llama.embedding_length", 8), ("llama.block_count", 1),
        ("llama.feed_forward_length", 12), ("llama.attention.head_count", 2), ("llama.attention.head_count_kv", 1),
        ("llama.attention.layer_norm_rms_epsilon", 1e-5f), ("llama.rope.freq_base", 10000f), ("tokenizer.ggml.eos_token_id", 2),
    ];

    static readonly (string Name, long[] Shape)[] Tensors =
    [
        ("token_embd.weight", [16, 8]), ("blk.0.attn_norm.weight", [8]), ("blk.0.attn_q.weight", [8, 8]),
        ("blk.0.attn_k.weight", [4, 8]), ("blk.0.attn_v.weight", [4, 8]), ("blk.0.attn_output.weight", [8, 8]),
        ("blk.0.ffn_norm.weight", [8]), ("blk.0.ffn_gate.weight", [12, 8]), ("blk.0.ffn_up.weight", [12, 8]),
        ("blk.0.ffn_down.weight", [8, 12]), ("output_norm.weight", [8]), ("output.weight", [16, 8]),
    ];

    /// <param name="field">A field to set, or to leave out if its value is null.</param>
    public static byte[] Llama(
        (string Name, object? Value)? field = null, (string Name, uint Type, long[]? Shape)? spoiled = null)
    {
        var fields = Fields.ToDictionary(f => f.Name, f => (object?)f.Value);
        if (field is { } changed)
            fields[changed.Name] = changed.Value;
        return Write([.. fields.Where(f => f.Value is not null).Select(f => (f.Key, f.Value!))], spoiled);
    }

    /// <summary>Fields that are lists of single bytes.</summary>
    public static byte[] Lists(int count, int items) =>
        Write([.. Enumerable.Range(0, count).Select(i => ($"list.{i}", (object)new byte[items]))], null);

    /// <summary>Where the data begin.</summary>
    public static int HeaderLength(byte[] llama) =>
        llama.Length - Tensors.Sum(t => Padded(t.Shape.Aggregate(4, (a, b) => a * (int)b)));

    static int Padded(int bytes) => (bytes + 31) / 32 * 32;

    static byte[] Write((string Name, object Value)[] fields, (string Name, uint Type, long[]? Shape)? spoiled)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write((ulong)Tensors.Length);
        writer.Write((ulong)fields.Length);
        foreach (var (name, value) in fields)
        {
            Text(writer, name);
            Value(writer, value);
        }
        var offset = 0;
        foreach (var (name, shape) in Tensors)
        {
            var bad = spoiled is { } spoil && spoil.Name == name ? spoil : (name, 0u, (long[]?)shape);
            Text(writer, name);
            writer.Write((bad.Item3 ?? shape).Length);
            foreach (var extent in (bad.Item3 ?? shape).Reverse())
                writer.Write(extent);
            writer.Write(bad.Item2);
            writer.Write((ulong)offset);
            offset += Padded(shape.Aggregate(4, (a, b) => a * (int)b));
        }
        writer.Write(new byte[(32 - (stream.Position % 32)) % 32]);
        writer.Write(new byte[offset]);
        writer.Flush();
        return stream.ToArray();
    }

    static void Value(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case int number: writer.Write(5u); writer.Write(number); break;
            case float number: writer.Write(6u); writer.Write(number); break;
            case string text: writer.Write(8u); Text(writer, text); break;
            case byte[] bytes: writer.Write(9u); writer.Write(0u); writer.Write((ulong)bytes.Length); writer.Write(bytes); break;
            default: throw new ArgumentException($"{value.GetType()} is no value of a field", nameof(value));
        }
    }

    static void Text(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }
}
