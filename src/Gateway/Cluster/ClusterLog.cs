using Hearth.Actors.Transport;
using Microsoft.Extensions.Logging;

namespace Hearth.Gateway.Cluster;

static partial class ClusterLog
{
    [LoggerMessage(20, LogLevel.Information, "Turn {Turn}: went on from {From} to {To} after {Events} events")]
    public static partial void TakenOver(ILogger logger, string turn, string from, string to, int events);

    [LoggerMessage(21, LogLevel.Warning, "Turn {Turn}: call to {Silo} broke: {Fault}, {Reason}")]
    public static partial void Broken(ILogger logger, string turn, string silo, PeerFault fault, string reason);

    [LoggerMessage(22, LogLevel.Warning, "The store does not answer: {Reason}")]
    public static partial void StoreFailed(ILogger logger, string reason);

    [LoggerMessage(23, LogLevel.Warning, "{Method} of {Silo}: {Fault}, {Reason}")]
    public static partial void CallFailed(ILogger logger, string method, string silo, PeerFault fault, string reason);
}
