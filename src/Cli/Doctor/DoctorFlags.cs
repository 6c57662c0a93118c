using System.CommandLine;

namespace Hearth.Cli.Doctor;

/// <summary>The flags of all processes, for whichever of them is asked about.</summary>
static class DoctorFlags
{
    /// <summary>A gateway listens at an address by default, and a silo's probes do not: here it is what was given.</summary>
    public static Option<string?> Urls { get; } = Flag.Text("--urls", "Where the API, or a silo's probes, are to listen");

    public static Option<string?> Data { get; } = Flag.Text("--data", "Where hearth serve is to keep conversations");

    public static IReadOnlyList<Option> All { get; } =
    [
        Urls, Data, .. ClusterFlags.All, .. SiloFlags.All.Where(f => f != SiloFlags.Urls), .. ModelFlags.All,
        .. HttpFlags.All.Where(f => f != HttpFlags.Urls),
    ];
}
