namespace Hearth.Cluster.Tests.Rig;

/// <summary>With HEARTH_LONG=1 the tests that have a long form take their time.</summary>
public static class LongForm
{
    public static bool Runs => Environment.GetEnvironmentVariable("HEARTH_LONG") == "1";
}
