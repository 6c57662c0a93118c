using System.Globalization;

namespace Hearth.Cluster.Tests.Faults;

/// <summary>A process' wall clock under our hand, by libfaketime; its monotonic clock stays the machine's.</summary>
public sealed class FakeTime : IDisposable
{
    static readonly string? Library = new[]
    {
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    }.FirstOrDefault(File.Exists);

    readonly string _file = Path.GetTempFileName();

    public FakeTime() => Shift(TimeSpan.Zero);

    public static bool IsInstalled => Library is not null;

    /// <summary>For the process whose clock it is.</summary>
    public IReadOnlyDictionary<string, string> Environment => new Dictionary<string, string>
    {
        ["LD_PRELOAD"] = Library!,
        ["FAKETIME_TIMESTAMP_FILE"] = _file,
        ["FAKETIME_NO_CACHE"] = "1",
        ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1",
    };

    /// <summary>Sets the clock so much ahead of the machine's.</summary>
    public void Shift(TimeSpan ahead) =>
        File.WriteAllText(_file, ahead.TotalSeconds.ToString("+0;-0;+0", CultureInfo.InvariantCulture) + "\n");

    public void Dispose() => File.Delete(_file);
}
