using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>A reply depends on its own tokens alone: compared bit for bit.</summary>
public sealed class DeterminismTests
{
    [Theory, MemberData(nameof(ModelTests.Models), MemberType = typeof(ModelTests))]
    public void LogitsDoNotDependOnChunksBlocksNeighboursOrThreads(string model)
    {
        var directory = GoldenFolder.At("models", model);
        using var reference = new Reference(directory);
        // With dynamic scaling and longrope a chunk's end decides its frequencies beyond the trained 64 positions, as in the
        // reference.
        var ids = model is "llama_rope_dynamic" or "phi3_longrope" ? reference.InputIds[..64] : reference.InputIds;
        using var rig = new Rig(directory, threads: 1);
        var whole = rig.Run((rig.Begin(), ids));

        using var other = new Rig(directory, threads: 3, shuffle: 7);
        Assert.Equal(whole, other.Run(other.Begin(), ids, 40, 24, 1));
        var random = new Random(11);
        for (var round = 0; round < 4; round++)
            Assert.Equal(whole, other.Run(other.Begin(), ids, [.. Enumerable.Range(0, 20).Select(_ => random.Next(1, 34))]));

        var (front, subject, back) = (other.Begin(), other.Begin(), other.Begin());
        var logits = new List<float>();
        foreach (var chunk in ids.Chunk(17))
        {
            var neighbour = chunk.Select(id => (id + 3) % rig.Vocabulary).ToArray();
            var step = other.Run((front, neighbour[..(chunk.Length / 2)]), (subject, chunk), (back, neighbour));
            logits.AddRange(step.AsSpan(chunk.Length / 2 * rig.Vocabulary, chunk.Length * rig.Vocabulary));
        }
        Assert.Equal(whole, logits);
    }
}
