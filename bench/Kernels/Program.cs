using Hearth.Kernels;
using Hearth.Kernels.Bench;

// Usage: Kernels.Bench [formats] [decode] [shapes] [prefill] [batch] [kv] [fork] [hog]; all of them when none is named.
var known = new Dictionary<string, Action<KernelContext>>
{
    ["fork"] = Report.ForkJoin,
    ["shapes"] = Report.Shapes,
    ["formats"] = Report.Formats,
    ["decode"] = Report.Decode,
    ["batch"] = Report.Batch,
    ["prefill"] = Report.Prefill,
    ["kv"] = Report.KeyValues,
    ["hog"] = Report.Hog,
};
foreach (var name in args.Where(name => !known.ContainsKey(name)))
{
    Console.Error.WriteLine($"{name}: no such benchmark; there are {string.Join(", ", known.Keys)}");
    return 2;
}
using var context = new KernelContext();
Console.WriteLine($"kernels {context.Kernels}, {context.Threads} threads; medians of paired rounds [range]");
foreach (var (name, run) in known)
{
    if (args.Length == 0 || args.Contains(name))
    {
        run(context);
    }
}
return 0;
