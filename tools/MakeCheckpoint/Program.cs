using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.MakeCheckpoint;

// Writes a checkpoint of random weights in Hugging Face's layout, to measure with: 5m (10 MB, long context),
// 110m (0.2 GB), 1b (2.5 GB) or 8b (15 GB).
if (args is not [var size, var directory] || !Shape.Named.TryGetValue(size, out var shape))
{
    Console.Error.WriteLine($"usage: make-checkpoint {string.Join('|', Shape.Named.Keys)} DIRECTORY");
    return 2;
}
Directory.CreateDirectory(directory);
Write("config.json", shape.Config());
Write("generation_config.json", new JsonObject { ["eos_token_id"] = Tokenizer.EndOfMessage });
Write("tokenizer.json", Tokenizer.Json(shape.Vocabulary));
Write("tokenizer_config.json", Tokenizer.Config());
Weights.Write(Path.Combine(directory, "model.safetensors"), shape);
Console.WriteLine($"{size}: {directory}");
return 0;

void Write(string name, JsonObject json) =>
    File.WriteAllText(Path.Combine(directory, name), json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
