using System.Globalization;
using System.Text.RegularExpressions;

namespace Hearth.Cli.Doctor;

/// <summary>What the system tells of itself in files; null or 0 where it tells nothing.</summary>
/// <param name="Root">"/", or a test's copy of what matters there.</param>
sealed partial record Machine(string Root)
{
    // What cgroups of version 1 say when there is no limit, rounded down to whole pages.
    const long NoLimit = 1L << 60;

    /// <summary>Bytes that this process may have, and who says so.</summary>
    public (long Bytes, string Source) Memory()
    {
        foreach (var file in new[] { "sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes" })
        {
            var text = Read(file)?.Trim();
            if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit < NoLimit)
                return (limit, "the container's limit");
        }
        return Number(TotalMemory().Match(Read("proc/meminfo") ?? "")) is > 0 and var kib
            ? (kib << 10, "the machine")
            : (GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, "the runtime");
    }

    /// <summary>Files and connections that this process may have open; 0 if unknown.</summary>
    public long OpenFiles() => OpenFileLimit().Match(Read("proc/self/limits") ?? "") is { Success: true } match
        ? match.Groups[1].Value == "unlimited" ? long.MaxValue : Number(match)
        : 0;

    /// <summary>Version of NVIDIA's kernel driver.</summary>
    public string? NvidiaDriver() => Read("proc/driver/nvidia/version") is not { } text ? null
        : DriverVersion().Match(text) is { Success: true } match ? match.Groups[1].Value : "of an unknown version";

    /// <summary>GPUs that this process may open.</summary>
    public int NvidiaDevices()
    {
        var folder = Path.Combine(Root, "dev");
        return Directory.Exists(folder)
            ? Directory.EnumerateFileSystemEntries(folder, "nvidia*").Count(f => DeviceFile().IsMatch(Path.GetFileName(f)))
            : 0;
    }

    string? Read(string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(Root, file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    static long Number(Match match) =>
        long.TryParse(match.Groups[1].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

    [GeneratedRegex(@"^MemTotal:\s+(\d+) kB", RegexOptions.Multiline)]
    private static partial Regex TotalMemory();

    [GeneratedRegex(@"^Max open files\s+(\d+|unlimited)", RegexOptions.Multiline)]
    private static partial Regex OpenFileLimit();

    [GeneratedRegex(@"Kernel Module.*?\s(\d+\.\d+(?:\.\d+)?)\s")]
    private static partial Regex DriverVersion();

    [GeneratedRegex(@"^nvidia\d+$")]
    private static partial Regex DeviceFile();
}
