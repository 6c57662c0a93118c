using System.Security.Cryptography;
using System.Text;

namespace Hearth.Engine.Checkpoints;

/// <summary>How far loading is.</summary>
/// <param name="BytesDone">Bytes of the weights that are read (and so in memory) and hashed.</param>
public readonly record struct LoadProgress(long BytesDone, long BytesTotal)
{
    /// <summary>0 to 1.</summary>
    public double Fraction => BytesTotal == 0 ? 1 : (double)BytesDone / BytesTotal;
}

/// <summary>SHA-256 over config.json and every byte of the weight files, in chunks on all threads: a hash of the chunks' hashes.
/// Reading every page is what loading a mapped checkpoint means, so the whole content is hashed on the way: a cache written
/// under one fingerprint can never meet other weights, whatever was changed in them.</summary>
static class Fingerprint
{
    const int ChunkBytes = 8 << 20;

    /// <returns>Hex.</returns>
    public static string Of(
        Checkpoint checkpoint, int threads, Action<LoadProgress>? progress, CancellationToken cancellationToken)
    {
        var total = checkpoint.Files.Sum(f => f.Length);
        var done = 0L;
        var gate = new Lock();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData("hearth-checkpoint-1\n"u8);
        foreach (var name in new[] { "config.json", Checkpoint.IndexName })
        {
            var file = Path.Combine(checkpoint.Directory, name);
            hash.AppendData(SHA256.HashData(File.Exists(file) ? File.ReadAllBytes(file) : []));
        }
        foreach (var file in checkpoint.Files)
        {
            var digests = new byte[(file.Length + ChunkBytes - 1) / ChunkBytes][];
            var options = new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellationToken };
            Parallel.For(0, digests.Length, options, i =>
            {
                var offset = (long)i * ChunkBytes;
                var count = (int)Math.Min(ChunkBytes, file.Length - offset);
                digests[i] = SHA256.HashData(file.Bytes(offset, count));
                lock (gate)
                    progress?.Invoke(new(done += count, total));
            });
            hash.AppendData(Encoding.UTF8.GetBytes($"{file.Length}\n"));
            foreach (var digest in digests)
                hash.AppendData(digest);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
