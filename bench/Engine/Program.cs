using Hearth.Engine.Bench;
using Hearth.Kernels;

// Usage: Engine.Bench DIR [f32|f16|bf16] [decode] [prefill] [depth] [history] [batch] [hog], or
// Engine.Bench DIR TYPE move [MOVES] | copy | restore | int8 | int8speed; DIR is a checkpoint of one file, and all are
// measured when none is named.
if (args is not [var directory, ..] || !File.Exists(Path.Combine(directory, "model.safetensors")))
{
    Console.Error.WriteLine("Name a checkpoint directory with a model.safetensors; tools/MakeCheckpoint makes one.");
    return 2;
}
var type = args.Contains("f32") ? DType.F32 : args.Contains("bf16") ? DType.BF16 : DType.F16;
if (args.Contains("move"))
{
    await MoveReport.MoveAsync(directory, type, int.TryParse(args[^1], out var moves) ? moves : 30);
    return 0;
}
if (args.Contains("copy"))
{
    await CopyReport.RunAsync(directory, type);
    return 0;
}
if (args.Contains("int8"))
{
    await Int8Report.RunAsync(directory, type);
    return 0;
}
if (args.Contains("int8speed"))
{
    await Int8Report.SpeedAsync(directory, type);
    return 0;
}
if (args.Contains("restore"))
{
    await MoveReport.RestoreAsync(directory, type);
    return 0;
}
using var rig = new ModelRig(directory, type);
var report = new ModelReport(rig);
var known = new Dictionary<string, Action>
{
    ["decode"] = report.Decode,
    ["prefill"] = report.Prefill,
    ["depth"] = report.Depth,
    ["history"] = report.History,
    ["batch"] = report.Batch,
    ["hog"] = report.Hog,
};
Console.WriteLine(
    $"{rig.Card.Name}, {rig.Card.Parameters / 1e6:F0}M parameters, keys and values {type}, kernels {rig.Context.Kernels}, " +
    $"{rig.Context.Threads} threads; medians of paired rounds [range]");
foreach (var (name, run) in known)
{
    if (!known.Keys.Any(args.Contains) || args.Contains(name))
    {
        run();
    }
}
return 0;
