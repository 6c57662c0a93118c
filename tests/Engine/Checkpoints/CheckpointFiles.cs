using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace Hearth.Engine.Tests.Checkpoints;

/// <summary>A directory with a small Llama checkpoint, to be spoiled.</summary>
sealed class CheckpointFiles : IDisposable
{
    public const string Config = """
        {"model_type": "llama", "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2,
         "num_key_value_heads": 1, "vocab_size": 16, "max_position_embeddings": 64, "eos_token_id": [2, 3]}
        """;

    readonly DirectoryInfo _directory = System.IO.Directory.CreateTempSubdirectory("hearth-");

    public CheckpointFiles()
    {
        Write("config.json", Config);
        Write("model.safetensors", Safetensors(Tensors));
    }

    public string Directory => _directory.FullName;

    public static (string Name, int[] Shape)[] Tensors { get; } =
    [
        ("model.embed_tokens.weight", [16, 8]),
        ("model.layers.0.input_layernorm.weight", [8]),
        ("model.layers.0.self_attn.q_proj.weight", [8, 8]),
        ("model.layers.0.self_attn.k_proj.weight", [4, 8]),
        ("model.layers.0.self_attn.v_proj.weight", [4, 8]),
        ("model.layers.0.self_attn.o_proj.weight", [8, 8]),
        ("model.layers.0.post_attention_layernorm.weight", [8]),
        ("model.layers.0.mlp.gate_proj.weight", [12, 8]),
        ("model.layers.0.mlp.up_proj.weight", [12, 8]),
        ("model.layers.0.mlp.down_proj.weight", [8, 12]),
        ("model.norm.weight", [8]),
        ("lm_head.weight", [16, 8]),
    ];

    /// <summary>A sound file with f32 zeros.</summary>
    public static byte[] Safetensors(IEnumerable<(string Name, int[] Shape)> tensors)
    {
        var (table, end) = (new Dictionary<string, object>(), 0);
        foreach (var (name, shape) in tensors)
        {
            var begin = end;
            end += shape.Aggregate(4, (a, b) => a * b);
            table.Add(name, new { dtype = "F32", shape, data_offsets = new[] { begin, end } });
        }
        return File(JsonSerializer.Serialize(table), end);
    }

    public static byte[] File(string header, int dataBytes)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var file = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(file, json.Length);
        json.CopyTo(file, 8);
        return file;
    }

    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    public string Write(string name, byte[] bytes)
    {
        System.IO.File.WriteAllBytes(PathOf(name), bytes);
        return PathOf(name);
    }

    public string PathOf(string name) => Path.Combine(Directory, name);

    public void Delete(string name) => System.IO.File.Delete(PathOf(name));

    public void Dispose() => _directory.Delete(recursive: true);
}
