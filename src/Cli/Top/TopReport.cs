using System.Text.Json.Serialization;

namespace Hearth.Cli.Top;

/// <summary>What a frame shows. Rates are of the last seconds; null before there are two samples.</summary>
/// <param name="Seconds">What <see cref="LastMinute"/> covers so far: a minute at most.</param>
/// <param name="Fault">Why the silos are not of now.</param>
sealed record TopReport(bool Ready, string Reason, IReadOnlyList<SiloRow> Silos, SiloRow Total, double Seconds,
    MinuteFigures LastMinute, IReadOnlyList<GatewayRow> Gateways, string? Fault);

/// <param name="TokensIn">Prompt tokens in a second, those from caches too.</param>
/// <param name="TokensOut">Tokens made in a second.</param>
/// <param name="Cached">Part of the prompt tokens of the last minute that was not computed again.</param>
sealed record SiloRow(string Id, string Status, string Device, string Model, int BlocksUsed, int BlocksTotal, int Running,
    int Waiting, int Activations, double? TokensIn, double? TokensOut, double? Cached);

/// <summary>What happened in the last minute, by all silos and gateways that are asked.</summary>
/// <param name="Hit">Turns whose cache was on the device; the others in the same way.</param>
/// <param name="Takeovers">Turns that a silo went on with after another was lost.</param>
/// <param name="Refused">Turns refused at a gateway's door.</param>
/// <param name="Failed">Turns that ended at a gateway otherwise than well.</param>
sealed record MinuteFigures(
    long Hit, long Restored, long Pulled, long Recomputed, long New, long Moves, long Takeovers, long Refused, long Failed)
{
    [JsonIgnore]
    public long Turns => Hit + Restored + Pulled + Recomputed + New;
}

/// <param name="FirstTextP50Seconds">Seconds to the first text of half of the last minute's turns; null without turns.</param>
sealed record GatewayRow(string Url, int Running, int Clients, double? Turns, double? Refused, double? FirstTextP50Seconds,
    double? FirstTextP95Seconds, string? Fault);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(TopReport))]
sealed partial class TopJson : JsonSerializerContext;
