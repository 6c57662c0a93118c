using Hearth.Cuda;
using Hearth.Cuda.Bench;
using Hearth.Engine.Devices;

// Checks and times the CUDA backend on a card: gpu-check [--card N] [--golden DIR] [--model DIR]... [--small]
var (card, golden, models, small) = (0, (string?)null, new List<string>(), false);
for (var i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--card" when i + 1 < args.Length && int.TryParse(args[i + 1], out card):
            i++;
            break;
        case "--golden" when i + 1 < args.Length:
            golden = args[++i];
            break;
        case "--model" when i + 1 < args.Length:
            models.Add(args[++i]);
            break;
        case "--small":
            small = true;
            break;
        default:
            Console.Error.WriteLine("usage: gpu-check [--card N] [--golden DIR] [--model DIR]... [--small]");
            return 2;
    }
}
var table = new Table(Console.Out);
try
{
    var info = CudaSystem.Describe(card);
    table.Section($"{info.Name}, {info.Memory >> 20} MiB, {info.Multiprocessors} multiprocessors, driver for CUDA " +
        info.DriverText);
    using (var owner = new CudaCard(card, new CudaOptions().CacheFolder, line => table.Note("start", line)))
    {
        var limits = CardLimits.Measure(owner, table, small);
        if (golden is not null)
            GoldenReport.Run(golden, card, table);
        foreach (var model in models)
            ServingReport.Run(model, card, limits, table, small);
    }
}
catch (CudaException error)
{
    Console.Error.WriteLine(error.Message);
    return 1;
}
Console.WriteLine(table.Failures == 0 ? "\nAll checks hold." : $"\n{table.Failures} checks fail.");
return table.Failures == 0 ? 0 : 1;
