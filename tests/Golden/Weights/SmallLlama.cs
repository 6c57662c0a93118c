using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Hearth.Kernels;

namespace Hearth.Golden.Tests;

/// <summary>A Llama of one layer whose rows are whole blocks of every format, with random weights: as safetensors in f32 and as
/// GGUF in the format that the numbers came from.</summary>
static class SmallLlama
{
    public const int Vocabulary = 64;
    const int Width = 256, Heads = 4, KvHeads = 2, HeadDim = 64, Ffn = 512;

    const string Config = """
        {"model_type": "llama", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 1, "num_attention_heads": 4,
         "num_key_value_heads": 2, "vocab_size": 64, "max_position_embeddings": 128, "rms_norm_eps": 1e-5}
        """;

    static readonly (string Name, string Gguf, int Rows, int Columns)[] Matrices =
    [
        ("model.embed_tokens", "token_embd", Vocabulary, Width),
        ("model.layers.0.self_attn.q_proj", "blk.0.attn_q", Heads * HeadDim, Width),
        ("model.layers.0.self_attn.k_proj", "blk.0.attn_k", KvHeads * HeadDim, Width),
        ("model.layers.0.self_attn.v_proj", "blk.0.attn_v", KvHeads * HeadDim, Width),
        ("model.layers.0.self_attn.o_proj", "blk.0.attn_output", Width, Heads * HeadDim),
        ("model.layers.0.mlp.gate_proj", "blk.0.ffn_gate", Ffn, Width),
        ("model.layers.0.mlp.up_proj", "blk.0.ffn_up", Ffn, Width),
        ("model.layers.0.mlp.down_proj", "blk.0.ffn_down", Width, Ffn),
        ("lm_head", "output", Vocabulary, Width),
    ];

    static readonly (string Name, string Gguf)[] Norms =
    [
        ("model.layers.0.input_layernorm", "blk.0.attn_norm"),
        ("model.layers.0.post_attention_layernorm", "blk.0.ffn_norm"),
        ("model.norm", "output_norm"),
    ];

    public static void Write(TemporaryFolder folder, DType type, uint ggmlType)
    {
        var (safetensors, gguf) = (new SafetensorsWriter(), new GgufWriter());
        foreach (var (name, value) in Fields)
            gguf.Field(name, value);
        var random = new Random(3);
        using var context = new KernelContext(1);
        foreach (var (name, ggufName, rows, columns) in Matrices)
        {
            var bytes = RandomRows(type, random, rows * type.RowBytes(columns));
            var numbers = new float[rows * columns];
            for (var row = 0; row < rows; row++)
            {
                var size = (int)type.RowBytes(columns);
                Numbers.Widen(context, type, bytes.AsSpan(row * size, size), numbers.AsSpan(row * columns, columns));
            }
            gguf.Tensor($"{ggufName}.weight", [rows, columns], ggmlType, bytes);
            var heads = name.EndsWith("q_proj", StringComparison.Ordinal) ? Heads
                : name.EndsWith("k_proj", StringComparison.Ordinal) ? KvHeads : 0;
            safetensors.Add($"{name}.weight", "F32", heads == 0 ? numbers : Separate(numbers, heads, columns), rows, columns);
        }
        foreach (var (name, ggufName) in Norms)
        {
            float[] weights = [.. Enumerable.Range(0, Width).Select(_ => 0.5f + random.NextSingle())];
            safetensors.Add($"{name}.weight", "F32", weights, Width);
            gguf.Tensor($"{ggufName}.weight", [Width], 0, MemoryMarshal.AsBytes<float>(weights).ToArray());
        }
        File.WriteAllText(folder.At("config.json"), Config);
        safetensors.Write(folder.At("model.safetensors"));
        File.WriteAllBytes(folder.At("model.gguf"), gguf.ToBytes());
    }

    static IEnumerable<(string, object)> Fields =>
    [
        ("general.architecture", "llama"), ("llama.context_length", 128), ("llama.embedding_length", Width),
        ("llama.block_count", 1), ("llama.feed_forward_length", Ffn), ("llama.attention.head_count", Heads),
        ("llama.attention.head_count_kv", KvHeads), ("llama.rope.dimension_count", HeadDim),
        ("llama.attention.layer_norm_rms_epsilon", 1e-5f), ("llama.rope.freq_base", 10000f),
    ];

    /// <summary>From neighbours that turn together to halves.</summary>
    static float[] Separate(float[] numbers, int heads, int columns)
    {
        var (rows, half) = (numbers.Length / columns, numbers.Length / columns / heads / 2);
        var result = new float[numbers.Length];
        for (var row = 0; row < rows; row++)
        {
            var (head, inHead) = (row / (2 * half), row % (2 * half));
            var target = head * 2 * half + inHead % 2 * half + inHead / 2;
            numbers.AsSpan(row * columns, columns).CopyTo(result.AsSpan(target * columns));
        }
        return result;
    }

    /// <summary>Bytes at random, scales small and finite.</summary>
    static byte[] RandomRows(DType type, Random random, long count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        for (var from = 0; from < bytes.Length; from += type.BlockBytes())
        {
            var block = bytes.AsSpan(from, type.BlockBytes());
            var number = (random.NextSingle() - 0.5f) / 8;
            var at16 = type == DType.Q6K ? block[208..] : block;
            if (type == DType.F32)
                BinaryPrimitives.WriteSingleLittleEndian(block, number);
            else if (type == DType.BF16)
                BinaryPrimitives.WriteUInt16LittleEndian(block, (ushort)(BitConverter.SingleToUInt32Bits(number) >> 16));
            else
                BinaryPrimitives.WriteHalfLittleEndian(at16, (Half)(type == DType.F16 ? number : number / 256));
            if (type is DType.Q4Min or DType.Q5Min or DType.Q4K or DType.Q5K)
                BinaryPrimitives.WriteHalfLittleEndian(block[2..], (Half)(number / 256));
        }
        return bytes;
    }
}
