using System.Collections;
using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text.RegularExpressions;
using Hearth.Silo;

namespace Hearth.Cli.Doctor;

/// <summary>What the machine gives: processors, device, files; and whether the environment says what it is meant to.</summary>
sealed partial class MachineChecks(Findings findings, Machine machine)
{
    const int OpenFilesLow = 1024, OpenFilesSpare = 512;
    const int DistanceMax = 3;

    // Read by the program without a flag of their own.
    static readonly string[] _otherVariables =
        ["HEARTH_KERNELS", "HEARTH_CUDA_LIB", "HEARTH_HISTORY", StopSignals.ParentVariable];

    public void Processors(int threads)
    {
        var vectors = Vector512.IsHardwareAccelerated ? "512-bit" : Vector256.IsHardwareAccelerated ? "256-bit"
            : Vector128.IsHardwareAccelerated ? "128-bit" : null;
        if (vectors is null or "128-bit")
        {
            findings.Warn("cpu.vectors", $"{vectors ?? "no"} vectors: the model runs many times slower than it could",
                "use a processor with AVX2 or AVX-512, and let the virtual machine pass it through");
        }
        else
        {
            findings.Ok("cpu.vectors", $"{vectors} vectors ({RuntimeInformation.ProcessArchitecture})");
        }
        var cores = Environment.ProcessorCount;
        if (threads > cores)
        {
            findings.Warn("cpu.threads", $"--threads {threads} on {cores} processors: they wait for each other",
                "leave --threads out, or raise the container's limit of processors");
        }
        else
        {
            findings.Ok("cpu.threads", $"{(threads > 0 ? threads : cores)} threads on {cores} processors");
        }
    }

    /// <param name="device">cpu, or cuda:N.</param>
    public void Device(string device)
    {
        const string Name = "device";
        if (device == "cpu")
        {
            findings.Ok(Name, "the model runs on the processor");
            return;
        }
        if (!device.Split(',').All(name => Cuda().IsMatch(name)))
        {
            findings.Fail(Name, $"--device: '{device}' is no device", "write cpu, or cuda:0");
            return;
        }
        if (machine.NvidiaDriver() is not { } version)
        {
            findings.Fail("device.driver", "there is no NVIDIA driver on this machine",
                "install it; in a container, ask for nvidia.com/gpu and the nvidia runtime class; or use --device cpu");
            return;
        }
        findings.Ok("device.driver", $"NVIDIA driver {version}");
        var devices = machine.NvidiaDevices();
        var last = device.Split(',').Max(name => name == "cuda" ? 0 : int.Parse(name.AsSpan(5), CultureInfo.InvariantCulture));
        if (last >= devices)
            findings.Fail(Name, $"--device {device}: this process sees {devices} GPUs", "choose one that is there");
        else
            Probe(device);
    }

    /// <summary>Asks the driver itself.</summary>
    void Probe(string device)
    {
        try
        {
            new ModelSettings { Directory = "", Device = device }.RequireDevice();
            findings.Ok("device", $"{device} is there and can be used");
        }
        catch (SiloException error)
        {
            findings.Fail("device", error.Message, "in a container, set NVIDIA_DRIVER_CAPABILITIES=compute,utility");
        }
    }

    /// <param name="connections">As many as the process takes from clients; 0 for a silo.</param>
    public void OpenFiles(int connections)
    {
        const string Name = "files";
        var (limit, needed) = (machine.OpenFiles(), Math.Max(OpenFilesLow, connections + OpenFilesSpare));
        if (limit == 0)
        {
            findings.Ok(Name, "this system tells no limit of open files");
        }
        else if (limit < needed)
        {
            findings.Fail(Name, $"at most {limit} files and connections may be open, {needed} may be needed",
                $"raise the limit (ulimit -n {needed}, LimitNOFILE={needed}), or lower --max-connections");
        }
        else
        {
            findings.Ok(Name, $"{limit} files and connections may be open");
        }
    }

    /// <summary>A variable with a typing error would be passed over in silence.</summary>
    public void Environs(Command root, IDictionary environment)
    {
        var known = VariablesOf(root).Concat(_otherVariables).ToHashSet(StringComparer.Ordinal);
        var strange = environment.Keys.Cast<string>().Where(name => name.StartsWith(Flag.VariablePrefix, StringComparison.Ordinal)
            && !known.Contains(name) && !ServiceLink().IsMatch(name)).Order(StringComparer.Ordinal).ToList();
        foreach (var name in strange)
        {
            var near = known.MinBy(k => Distance(k, name))!;
            findings.Warn("environment", $"{name} is no variable of hearth: it does nothing",
                Distance(near, name) <= DistanceMax ? $"did you mean {near}?" : "see the flags' variables with --help");
        }
        if (strange.Count == 0)
            findings.Ok("environment", "every HEARTH_ variable is known");
    }

    static IEnumerable<string> VariablesOf(Command command) =>
        command.Options.Select(o => Flag.VariableOf(o.Name)).Concat(command.Subcommands.SelectMany(VariablesOf));

    /// <summary>Letters to change, put in or leave out.</summary>
    static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var corner = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var best = Math.Min(Math.Min(row[j], row[j - 1]) + 1, corner + (a[i - 1] == b[j - 1] ? 0 : 1));
                (corner, row[j]) = (row[j], best);
            }
        }
        return row[^1];
    }

    [GeneratedRegex(@"^cuda(:\d{1,2})?$")]
    private static partial Regex Cuda();

    /// <summary>What Kubernetes puts into pods for a service whose name begins with hearth.</summary>
    [GeneratedRegex("_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)$")]
    private static partial Regex ServiceLink();
}
