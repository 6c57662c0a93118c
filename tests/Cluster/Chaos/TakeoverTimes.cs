using System.Diagnostics;
using System.Globalization;
using Hearth.Cluster.Tests.Rig;

namespace Hearth.Cluster.Tests.Chaos;

/// <summary>Measures how long a client waits when the owner of its reply is killed: from the kill to the next text.</summary>
public static class TakeoverTimes
{
    const int Tokens = 2000;

    public static async Task<int> RunAsync(int times)
    {
        var stop = CancellationToken.None;
        await using var rig = await ClusterRig.StartAsync(new RigOptions { Silos = 3, Gateways = 1 }, stop);
        using var undisturbed = await rig.Client().StreamAsync(Turns.Seeded("undisturbed", Tokens), stop);
        var expected = await undisturbed.ReadToEndAsync(stop);
        var waits = new List<double>();
        var wrong = 0;
        for (var i = 0; i < times; i++)
        {
            await rig.FillAsync(3, 1, stop);
            using var stream = await rig.Client().StreamAsync(Turns.Seeded($"killed-{i}", Tokens), stop);
            await stream.ReadAsync(50 + 10 * i % 200, stop);
            rig.SiloOf(stream.Silo).Kill();
            // What was on its way comes first: the longest silence is the takeover.
            var (clock, longest) = (Stopwatch.StartNew(), 0.0);
            while (await stream.ReadAsync(stream.Pieces + 1, stop))
            {
                longest = Math.Max(longest, clock.Elapsed.TotalSeconds);
                clock.Restart();
            }
            waits.Add(longest);
            wrong += stream.IsDone && stream.Text == expected ? 0 : 1;
        }
        waits.Sort();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{times} kills: wait for the next text p50 {waits[times / 2]:0.00} s, longest {waits[^1]:0.00} s; {wrong} texts differ"));
        return wrong == 0 ? 0 : 1;
    }
}
