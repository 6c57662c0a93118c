using System.Text;

namespace Hearth.Gateway;

/// <summary>What a file of API keys holds, without a key of it.</summary>
/// <param name="InForce">Keys that have not expired.</param>
/// <param name="Admins">Of them, those that may administrate.</param>
public sealed record ApiKeySummary(int Keys, int InForce, int Admins)
{
    /// <exception cref="FormatException">The file is not a key file; the message names the line.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static ApiKeySummary Read(string path, TimeProvider time)
    {
        var keys = ApiKeyFile.Parse(Encoding.UTF8.GetString(ApiKeyRing.Read(path)));
        var inForce = keys.Where(k => !(k.Expires <= time.GetUtcNow())).ToList();
        return new ApiKeySummary(keys.Count, inForce.Count, inForce.Count(k => k.Scopes.Contains(Scopes.Admin)));
    }
}
