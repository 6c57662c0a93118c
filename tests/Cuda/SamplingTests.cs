using System.Runtime.InteropServices;
using Xunit;

namespace Hearth.Cuda.Tests;

public sealed class SamplingTests
{
    const int Width = 3001;

    [StructLayout(LayoutKind.Sequential, Size = 64)]
    record struct SampleRow(long Seed, int Position, int TopK, float Temperature, float TopP, float MinP, float Repetition = 1,
        float Frequency = 0, float Presence = 0, int PenaltiesFrom = 0, int PenaltiesTo = 0, int BiasesFrom = 0,
        int BiasesTo = 0);

    [Fact]
    public void TokensAreThoseOfAFullSort()
    {
        var random = new Random(5);
        var rows = new SampleRow[24];
        for (var i = 0; i < rows.Length; i++)
        {
            rows[i] = new SampleRow(random.NextInt64(), i * 7, (i % 4) switch { 1 => 40, 2 => 1, _ => 0 },
                (i % 3) switch { 0 => 1, 1 => 0.7f, _ => 1.6f }, i % 2 == 0 ? 1 : 0.2f + 0.7f * random.NextSingle(),
                i % 5 == 4 ? 0.05f : 0);
        }
        rows[^1] = rows[^1] with { Temperature = 0 };
        var logits = Data.Normal(1, rows.Length * Width, 3);
        // Many scores that are equal, at the top too.
        for (var i = 0; i < logits.Length; i += 2)
            logits[i] = MathF.Round(logits[i]);
        var chosen = new Output<int>(rows.Length);
        KernelRun.Launch("sample", (rows.Length, 1, 1), 1024, 0, new Output<float>(logits), rows, null, null, null, null, chosen,
            Width);
        for (var i = 0; i < rows.Length; i++)
            Assert.Contains(chosen.Values![i], Choices(logits[(i * Width)..((i + 1) * Width)], rows[i]));
    }

    [Fact]
    public void PenaltiesChangeWhatIsChosen()
    {
        float[] logits = [1, 5, 4.5f, -1, 4, 0.5f, -2, 1];
        var rows = new[] { new SampleRow(1, 1, 0, 0, 1, 0, 1.5f, 0.5f, 0.25f, 0, 3, 0, 2) };
        int[] tokens = [1, 2, 3], counts = [0, 2, 1], biased = [4, 6];
        float[] biases = [-1, 7];
        var (changed, chosen) = (new Output<float>(logits), new Output<int>(1));
        KernelRun.Launch("sample", (1, 1, 1), 1024, 0, changed, rows, tokens, counts, biased, biases, chosen, logits.Length);
        Data.Near([1, 5 / 1.5, 4.5 / 1.5 - 1.25, -1.5 - 0.75, 3, 0.5, 5, 1], changed.Values, 1e-6);
        Assert.Equal(6, chosen.Values![0]);
    }

    [Fact]
    public void ARowWithoutAFiniteScoreGivesNone()
    {
        var logits = new float[2 * 40];
        logits.AsSpan(0, 40).Fill(float.NegativeInfinity);
        logits[50] = float.NaN;
        var rows = new SampleRow[] { new(1, 1, 0, 1, 0.9f, 0), new(1, 1, 0, 1, 1, 0) };
        var chosen = new Output<int>(2);
        KernelRun.Launch("sample", (2, 1, 1), 1024, 0, new Output<float>(logits), rows, null, null, null, null, chosen, 40);
        Assert.Equal([-1, -1], chosen.Values!);
    }

    /// <summary>What the rules choose, in doubles: one token, or two where the draw falls on an edge.</summary>
    static HashSet<int> Choices(float[] logits, SampleRow row)
    {
        var scores = Array.ConvertAll(logits, x => row.Temperature == 0 ? x : x / row.Temperature);
        var max = scores.Max();
        if (row.Temperature == 0)
            return [Array.IndexOf(scores, max)];
        var left = Enumerable.Range(0, scores.Length).OrderByDescending(i => scores[i]).ThenBy(i => i).ToList();
        if (row.TopK > 0)
            left = [.. left.Where(i => scores[i] >= scores[left[row.TopK - 1]])];
        if (row.TopP < 1)
        {
            var (all, before, count) = (left.Sum(Mass), 0.0, 0);
            while (count < left.Count && (count == 0 || before < row.TopP * all * (1 - 1e-6)))
                before += Mass(left[count++]);
            left = left[..count];
        }
        if (row.MinP > 0)
            left = [.. left.Where(i => scores[i] >= max + MathF.Log(row.MinP))];
        if (row.TopP >= 1)
            left.Sort();
        var total = left.Sum(Mass);
        return [.. ((double[])[-1e-5, 0, 1e-5]).Select(shift => At(Draw(row.Seed, row.Position) + shift))];

        double Mass(int i) => Math.Exp(scores[i] - max);

        int At(double draw)
        {
            var sum = 0.0;
            foreach (var i in left)
            {
                sum += Mass(i);
                if (sum > draw * total)
                    return i;
            }
            return left[^1];
        }
    }

    static double Draw(long seed, int position)
    {
        static ulong Mix(ulong z)
        {
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
            return z ^ (z >> 31);
        }
        var stream = Mix((ulong)seed + 0x9E3779B97F4A7C15UL);
        return (Mix(stream + ((ulong)position + 1) * 0x9E3779B97F4A7C15UL) >> 11) * (1.0 / (1UL << 53));
    }
}
