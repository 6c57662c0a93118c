using Microsoft.Extensions.Logging;

namespace Hearth.Gateway;

/// <summary>Everything the gateway logs: never a prompt, a reply or a key.</summary>
static partial class Log
{
    [LoggerMessage(1, LogLevel.Information,
        "{RequestId} {Operation} {Outcome}: {PromptTokens} prompt tokens ({CachedTokens} cached), "
        + "{CompletionTokens} generated, {Ms} ms")]
    public static partial void TurnDone(ILogger logger, string requestId, string operation, string outcome,
        int promptTokens, int cachedTokens, int completionTokens, long ms);

    static readonly Func<ILogger, string, string, IDisposable?> s_turn =
        LoggerMessage.DefineScope<string, string>("conversation {Conversation} turn {Turn}");

    /// <summary>What everything that is logged for a turn says; its trace id comes from the request.</summary>
    public static IDisposable? Scope(ILogger logger, TurnSubject subject) =>
        s_turn(logger, subject.Conversation, subject.Turn);

    [LoggerMessage(2, LogLevel.Warning, "{RequestId} the client took nothing for {Seconds} s and was dropped")]
    public static partial void SlowClient(ILogger logger, string requestId, double seconds);

    [LoggerMessage(3, LogLevel.Error, "{RequestId} failed")]
    public static partial void RequestFailed(ILogger logger, Exception exception, string requestId);

    [LoggerMessage(4, LogLevel.Information, "API keys read: {Count}")]
    public static partial void KeysLoaded(ILogger logger, int count);

    [LoggerMessage(5, LogLevel.Error, "API key file not read, the keys before stay in force: {Reason}")]
    public static partial void KeysNotLoaded(ILogger logger, string reason);

    [LoggerMessage(6, LogLevel.Warning, "{RequestId} refused: {Code}")]
    public static partial void Refused(ILogger logger, string requestId, string code);
}
