using System.Collections.Concurrent;
using System.Text.Json;
using Hearth.Actors.Placement;
using Microsoft.Extensions.Logging;

namespace Hearth.Actors.Membership;

/// <summary>What each silo last told of its load. One writer; readers any time.</summary>
sealed partial class LoadBoard(ILogger logger)
{
    static readonly SiloLoad _unknown = new();

    readonly ConcurrentDictionary<string, (byte[] Told, SiloLoad Load)> _loads = new();

    public SiloLoad Of(string silo) => _loads.TryGetValue(silo, out var found) ? found.Load : _unknown;

    public void Take(MembershipSnapshot seen)
    {
        foreach (var (silo, beat) in seen.Beats)
        {
            var isKnown = _loads.TryGetValue(silo, out var known) && known.Told.AsSpan().SequenceEqual(beat.Load);
            if (beat.Load.Length > 0 && !isKnown)
                _loads[silo] = (beat.Load, Read(silo, beat.Load));
        }
        foreach (var gone in _loads.Keys.Where(silo => !seen.Beats.ContainsKey(silo)))
            _loads.TryRemove(gone, out _);
    }

    /// <summary>A load that cannot be read, as from a silo of another version, counts as not told.</summary>
    SiloLoad Read(string silo, byte[] told)
    {
        try
        {
            return JsonSerializer.Deserialize(told, PlacementJson.Default.SiloLoad) ?? _unknown;
        }
        catch (JsonException e)
        {
            LogUnreadable(logger, silo, e);
            return _unknown;
        }
    }

    [LoggerMessage(EventId = 124, Level = LogLevel.Warning, Message = "The load of silo {Silo} cannot be read")]
    static partial void LogUnreadable(ILogger logger, string silo, Exception exception);
}
