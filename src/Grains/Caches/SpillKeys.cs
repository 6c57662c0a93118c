using System.Security.Cryptography;

namespace Hearth.Grains.Caches;

/// <summary>The keys of caches at rest. The first one encrypts; every one decrypts, so that a key is changed by putting another
/// before it
/// and taken out when the old caches have aged away.</summary>
public sealed class SpillKeys
{
    public const int IdBytes = 8;
    const int KeyBytes = 32, KeysMax = 16;

    readonly List<(byte[] Id, byte[] Key)> _keys;

    SpillKeys(List<(byte[] Id, byte[] Key)> keys) => _keys = keys;

    internal ReadOnlySpan<byte> NewestId => _keys[0].Id;
    internal ReadOnlySpan<byte> Newest => _keys[0].Key;

    /// <summary>Reads a file of base64 keys of 32 bytes, one in a line; empty lines and those that begin with # are left
    /// out.</summary>
    /// <exception cref="FormatException">A line is no key; the message names it.</exception>
    public static SpillKeys Load(string path)
    {
        List<(byte[], byte[])> keys = [];
        foreach (var (number, line) in File.ReadLines(path).Index())
        {
            if (line.Trim() is not { Length: > 0 } text || text[0] == '#')
                continue;
            var key = new byte[KeyBytes];
            if (!Convert.TryFromBase64String(text, key, out var length) || length != KeyBytes)
            {
                throw new FormatException(
                    $"{path}, line {number + 1}: must be {KeyBytes} bytes in base64 (openssl rand -base64 32).");
            }
            keys.Add((SHA256.HashData(key)[..IdBytes], key));
        }
        return keys.Count is > 0 and <= KeysMax
            ? new SpillKeys(keys)
            : throw new FormatException($"{path} must hold 1 to {KeysMax} keys.");
    }

    internal byte[]? Find(ReadOnlySpan<byte> id)
    {
        foreach (var (known, key) in _keys)
        {
            if (id.SequenceEqual(known))
                return key;
        }
        return null;
    }
}
