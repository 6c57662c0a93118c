using System.Globalization;
using System.Security.Cryptography;

namespace Hearth.Cli;

/// <summary>A checkpoint's files and the SHA-256 that each must have, as <c>sha256sum</c> writes them.</summary>
sealed class ModelFiles
{
    public const string SumsName = "SHA256SUMS";
    const int SumsBytesMax = 1 << 20, FilesMax = 4096, BufferBytes = 1 << 20;

    readonly string _sums;
    readonly SortedDictionary<string, byte[]> _digests;

    ModelFiles(string sums, SortedDictionary<string, byte[]> digests) => (_sums, _digests) = (sums, digests);

    public int Count => _digests.Count;

    /// <exception cref="CliException">The list cannot be read; the message names the line.</exception>
    public static ModelFiles Read(string sums)
    {
        try
        {
            if (new FileInfo(sums).Length > SumsBytesMax)
                throw new FormatException("it is longer than 1 MiB");
            var digests = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
            foreach (var (number, line) in File.ReadLines(sums).Index())
            {
                if (line.Length == 0)
                    continue;
                var (name, digest) = ReadLine(line)
                    ?? throw new FormatException($"line {number + 1} is not of the form 'SHA256  FILE'");
                if (!digests.TryAdd(name, digest) || digests.Count > FilesMax)
                    throw new FormatException($"line {number + 1} names '{name}' again, or one of more than {FilesMax} files");
            }
            return digests.Count > 0 ? new ModelFiles(sums, digests) : throw new FormatException("it names no file");
        }
        catch (Exception error) when (error is FormatException or IOException or UnauthorizedAccessException)
        {
            throw new CliException($"The checksums in {sums} cannot be used: {error.Message}.", ExitCodes.Usage);
        }
    }

    /// <summary>Every file is there with its checksum, and no other that a model might be read from.</summary>
    /// <returns>Bytes read.</returns>
    /// <exception cref="CliException">A file is missing, differs or is not in the list.</exception>
    public async Task<long> VerifyAsync(string directory, CancellationToken cancellationToken)
    {
        if (Strangers(directory).FirstOrDefault() is { } stranger)
            throw new CliException($"{stranger} is not in {_sums}: add it there, or take it away.", ExitCodes.Model);
        long bytes = 0;
        foreach (var (name, _) in _digests)
            bytes += await PassAsync(Path.Combine(directory, name), name, null, cancellationToken);
        return bytes;
    }

    /// <summary>Copies what the list names, verified while it is read; a file takes its name when all of it is right. What is
    /// there already and right stays.</summary>
    /// <returns>Bytes copied.</returns>
    /// <exception cref="CliException">A file is missing or differs, or the copy cannot be written.</exception>
    public async Task<long> CopyAsync(string from, string to, CancellationToken cancellationToken)
    {
        long bytes = 0;
        foreach (var (name, digest) in _digests)
        {
            var target = Path.Combine(to, name);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            if (File.Exists(target) && await IsAsync(target, digest, cancellationToken))
                continue;
            var part = target + ".part";
            await using (var copy = new FileStream(part, FileMode.Create, FileAccess.Write, FileShare.None, 0))
            {
                bytes += await PassAsync(Path.Combine(from, name), name, copy, cancellationToken);
                copy.Flush(flushToDisk: true);
            }
            File.Move(part, target, overwrite: true);
        }
        return bytes;
    }

    IEnumerable<string> Strangers(string directory) =>
        from path in Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories)
        let name = Path.GetRelativePath(directory, path).Replace('\\', '/')
        where name != SumsName && !_digests.ContainsKey(name) && Path.GetExtension(name) is ".json" or ".jinja" or ".safetensors"
        select name;

    /// <summary>Reads a file to its end, writes it where it is wanted, and compares its checksum.</summary>
    async Task<long> PassAsync(string path, string name, FileStream? copy, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
            throw new CliException($"{name} is in {_sums} and not at {path}.", ExitCodes.Model);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 0,
            FileOptions.SequentialScan);
        var buffer = new byte[BufferBytes];
        long bytes = 0;
        while (await file.ReadAsync(buffer, cancellationToken) is > 0 and var read)
        {
            hash.AppendData(buffer, 0, read);
            if (copy is not null)
                await copy.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            bytes += read;
        }
        var found = hash.GetHashAndReset();
        return found.AsSpan().SequenceEqual(_digests[name])
            ? bytes
            : throw new CliException(string.Create(CultureInfo.InvariantCulture,
                $"{path} is not what {_sums} says: {bytes} bytes with SHA-256 {Convert.ToHexStringLower(found)}."),
                    ExitCodes.Model);
    }

    static async Task<bool> IsAsync(string path, byte[] digest, CancellationToken cancellationToken)
    {
        await using var file = File.OpenRead(path);
        return (await SHA256.HashDataAsync(file, cancellationToken)).AsSpan().SequenceEqual(digest);
    }

    /// <summary>64 hex digits, a blank, a blank or a star, and a path that stays in the directory.</summary>
    static (string Name, byte[] Digest)? ReadLine(string line)
    {
        if (line.Length < 67 || line[64] != ' ' || line[65] is not (' ' or '*') || !line[..64].All(char.IsAsciiHexDigit))
            return null;
        var name = line[66..];
        if (name.StartsWith("./", StringComparison.Ordinal))
            name = name[2..];
        var stays = !name.StartsWith('/') && !name.Contains('\\', StringComparison.Ordinal)
            && name.Split('/').All(part => part is not ("" or "." or ".."));
        return stays ? (name, Convert.FromHexString(line.AsSpan(0, 64))) : null;
    }
}
