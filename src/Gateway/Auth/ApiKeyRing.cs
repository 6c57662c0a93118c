using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Hearth.Gateway;

/// <summary>The keys in force. The file is looked at again every few seconds, by its content, so that a replaced secret
/// (a symbolic link on Kubernetes) counts too; a file that became bad changes nothing and is logged.</summary>
sealed class ApiKeyRing
{
    static readonly TimeSpan s_lookAgain = TimeSpan.FromSeconds(2);

    readonly string? _path;
    readonly TimeProvider _time;
    readonly ILogger _logger;
    readonly Lock _reload = new();
    byte[] _contentDigest = [];
    long _lookedAt;
    volatile IReadOnlyList<ApiKey> _keys = [];

    /// <exception cref="FormatException">The file is not a key file.</exception>
    public ApiKeyRing(GatewayOptions options, TimeProvider time, ILogger<ApiKeyRing> logger)
    {
        (_path, _time, _logger) = (options.ApiKeyFile, time, logger);
        _lookedAt = time.GetTimestamp();
        if (_path is not null)
        {
            Load(Read(_path));
        }
    }

    /// <summary>False without a key file: the server is open.</summary>
    public bool Required => _path is not null;

    /// <summary>The key's entry, or null. Takes the same time wherever the key stands and however much of it is right.</summary>
    public ApiKey? Find(string key)
    {
        ReloadIfChanged();
        var digest = ApiKey.DigestOf(key);
        ApiKey? found = null;
        foreach (var candidate in _keys)
        {
            if (CryptographicOperations.FixedTimeEquals(candidate.Digest, digest))
            {
                found = candidate;
            }
        }
        return found is { Expires: { } end } && end <= _time.GetUtcNow() ? null : found;
    }

    void ReloadIfChanged()
    {
        lock (_reload)
        {
            if (_path is null || _time.GetElapsedTime(_lookedAt) < s_lookAgain)
            {
                return;
            }
            _lookedAt = _time.GetTimestamp();
            try
            {
                var content = Read(_path);
                if (!SHA256.HashData(content).AsSpan().SequenceEqual(_contentDigest))
                {
                    Load(content);
                }
            }
            catch (Exception e) when (e is FormatException or IOException or UnauthorizedAccessException)
            {
                Log.KeysNotLoaded(_logger, e.Message);
            }
        }
    }

    /// <exception cref="FormatException">The file is too large.</exception>
    public static byte[] Read(string path) => new FileInfo(path).Length <= Limits.ApiKeyFileBytesMax
        ? File.ReadAllBytes(path)
        : throw new FormatException($"the file is larger than {Limits.ApiKeyFileBytesMax} bytes");

    void Load(byte[] content)
    {
        _keys = ApiKeyFile.Parse(Encoding.UTF8.GetString(content));
        _contentDigest = SHA256.HashData(content);
        Log.KeysLoaded(_logger, _keys.Count);
    }
}
