using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hearth.Contracts;

namespace Hearth.Gateway;

/// <summary>One API key as it is kept: its SHA-256, never itself.</summary>
sealed record ApiKey(byte[] Digest, TenantId Tenant, IReadOnlyList<string> Scopes, DateTimeOffset? Expires)
{
    public static byte[] DigestOf(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}

/// <summary>What a key may do.</summary>
static class Scopes
{
    public const string Chat = "chat";
    public const string Read = "read";
    public const string Admin = "admin";

    public static readonly IReadOnlyList<string> All = [Chat, Read, Admin];
}

/// <summary>Parses a file of API keys; every fault names its line or entry, and never the key.</summary>
static class ApiKeyFile
{
    /// <exception cref="FormatException">The file is not as <see cref="GatewayOptions.ApiKeyFile"/> says.</exception>
    public static IReadOnlyList<ApiKey> Parse(string text)
    {
        var keys = text.AsSpan().TrimStart() is ['{', ..] ? ParseJson(text) : ParseLines(text);
        return keys.Count switch
        {
            0 => throw new FormatException("the file holds no key"),
            > Limits.ApiKeysMax => throw new FormatException($"the file holds more than {Limits.ApiKeysMax} keys"),
            _ => keys,
        };
    }

    static List<ApiKey> ParseLines(string text)
    {
        var keys = new List<ApiKey>();
        var number = 0;
        foreach (var line in text.Split('\n'))
        {
            number++;
            var fields = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length == 0 || fields[0].StartsWith('#'))
            {
                continue;
            }
            var where = $"line {number}";
            if (fields.Length > 3)
            {
                throw new FormatException($"{where}: more than key, tenant and scopes");
            }
            var digest = fields[0].StartsWith("sha256:", StringComparison.Ordinal)
                ? Digest(fields[0]["sha256:".Length..], where)
                : ApiKey.DigestOf(Key(fields[0], where));
            keys.Add(new ApiKey(digest, Tenant(fields.ElementAtOrDefault(1), where),
                ScopesOf(fields.ElementAtOrDefault(2)?.Split(','), where), null));
        }
        return keys;
    }

    static List<ApiKey> ParseJson(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { AllowDuplicateProperties = false });
            var keys = new List<ApiKey>();
            foreach (var entry in document.RootElement.GetProperty("keys").EnumerateArray())
            {
                var where = $"keys[{keys.Count}]";
                string? Text(string name) => entry.TryGetProperty(name, out var value) ? value.GetString() : null;
                var scopes = entry.TryGetProperty("scopes", out var list)
                    ? list.EnumerateArray().Select(s => s.GetString() ?? "").ToArray() : null;
                var digest = (Text("key"), Text("sha256")) switch
                {
                    ({ } key, null) => ApiKey.DigestOf(Key(key, where)),
                    (null, { } hex) => Digest(hex, where),
                    _ => throw new FormatException($"{where}: give either key or sha256"),
                };
                keys.Add(new ApiKey(digest, Tenant(Text("tenant"), where), ScopesOf(scopes, where),
                    Expiry(Text("expires"), where)));
            }
            return keys;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new FormatException("the JSON is not of the form {\"keys\":[{\"key\":…,\"tenant\":…,\"scopes\":[…]}]}", e);
        }
    }

    static string Key(string key, string where) => key.Length is >= 8 and <= Limits.ApiKeyCharsMax
        ? key : throw new FormatException($"{where}: a key has 8 to {Limits.ApiKeyCharsMax} characters");

    static byte[] Digest(string hex, string where) => hex.Length == 64 && hex.All(char.IsAsciiHexDigit)
        ? Convert.FromHexString(hex) : throw new FormatException($"{where}: a SHA-256 has 64 hex digits");

    static TenantId Tenant(string? name, string where) => name switch
    {
        null => TenantId.Local,
        { Length: <= Limits.TenantNameMax } when ConversationId.IsValid(name) => new TenantId(name),
        _ => throw new FormatException($"{where}: a tenant is 1 to {Limits.TenantNameMax} of A-Z a-z 0-9 _ . : -"),
    };

    static string[] ScopesOf(string[]? scopes, string where) => scopes switch
    {
        null or [] => [Scopes.Chat],
        _ when scopes.All(Scopes.All.Contains) => scopes,
        _ => throw new FormatException($"{where}: scopes are {string.Join(", ", Scopes.All)}"),
    };

    static DateTimeOffset? Expiry(string? text, string where) => text is null ? null
        : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time
        : throw new FormatException($"{where}: expires is a time such as 2030-01-31T00:00:00Z");
}
