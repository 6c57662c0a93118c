using System.Text.Json.Serialization;

namespace Hearth.Cli.Doctor;

[JsonConverter(typeof(JsonStringEnumConverter<Verdict>))]
enum Verdict
{
    [JsonStringEnumMemberName("ok")]
    Ok,
    [JsonStringEnumMemberName("warn")]
    Warn,
    [JsonStringEnumMemberName("fail")]
    Fail,
}

/// <summary>What one check found.</summary>
/// <param name="Check">Its name, such as redis.eviction.</param>
/// <param name="Remedy">What to do; null if nothing is to be done.</param>
sealed record Finding(string Check, Verdict Verdict, string Says, string? Remedy);

/// <summary>What was found so far.</summary>
sealed class Findings
{
    readonly List<Finding> _all = [];

    public IReadOnlyList<Finding> All => _all;

    public int Count(Verdict verdict) => _all.Count(f => f.Verdict == verdict);

    public void Ok(string check, string says) => _all.Add(new Finding(check, Verdict.Ok, says, null));

    public void Warn(string check, string says, string remedy) => _all.Add(new Finding(check, Verdict.Warn, says, remedy));

    public void Fail(string check, string says, string remedy) => _all.Add(new Finding(check, Verdict.Fail, says, remedy));
}
