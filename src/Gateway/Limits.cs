namespace Hearth.Gateway;

/// <summary>Every bound on what comes from outside. A request over one of them is refused with the field's name.</summary>
static class Limits
{
    public const int BodyBytesMax = 4 * 1024 * 1024;

    /// <summary>A larger body is read up to here and thrown away, so that the client gets to see why it was refused.</summary>
    public const int BodyBytesDrainedMax = 8 * BodyBytesMax;

    public const int JsonDepthMax = 64;
    public const int RequestLineBytesMax = 8 * 1024;

    // Up to these the answer is a JSON error; above twice as much Kestrel hangs up by itself, without a body.
    public const int HeaderBytesMax = 32 * 1024;
    public const int HeadersMax = 100;

    public const int ModelNameMax = 256;
    public const int CacheKindMax = 16;
    public const int MessagesMax = 2048;
    public const int ContentCharsMax = 1024 * 1024;
    public const int PartsMax = 256;
    public const int ParticipantNameMax = 64;
    public const int ToolCallsMax = 128;
    public const int ToolIdMax = 128;

    public const int ChoicesMax = 8;
    public const int StopTextsMax = 4;
    public const int StopCharsMax = 256;
    public const int LogitBiasMax = 1024;
    public const int TopLogprobsMax = 20;
    public const int TokensMax = 16 * 1024 * 1024;
    public const int TopKMax = 1024 * 1024;
    public const int TemplateTextMax = 256;
    public const int CacheSaltMax = 256;
    public const int MetadataMax = 16;
    public const int MetadataKeyMax = 64;
    public const int MetadataValueMax = 512;

    public const int PromptsMax = 8;
    public const int PromptTokensMax = 1024 * 1024;

    public const int HeaderValueMax = 256;
    public const int RequestIdMax = 128;
    public const int ConversationsListedMax = 1000;

    /// <summary>The longest <c>id:</c> of an event: two numbers and a dot.</summary>
    public const int EventIdBytesMax = 24;

    public const int SiloIdMax = 256;

    /// <summary>Conversations whose silo is remembered.</summary>
    public const int OwnersCached = 100_000;

    /// <summary>Bytes of a running turn's events that are kept for the case that its silo is lost.</summary>
    public const int ShownBytesMax = 32 * 1024 * 1024;

    /// <summary>Redirections in a row that are followed, and how many of them at once.</summary>
    public const int MovesMax = 12;
    public const int MovesAtOnce = 3;

    /// <summary>Turns that wait at a silo from which on a conversation is not sent back to it for its cache alone.</summary>
    public const int WaitingToAvoid = 8;

    /// <summary>How long a silo that had no room is not asked to take another conversation: its queue lasts longer.</summary>
    public static readonly TimeSpan FullFor = TimeSpan.FromMilliseconds(50);

    /// <summary>Silos that are asked at once when conversations are listed.</summary>
    public const int AskedAtOnce = 16;

    /// <summary>What a client is told to wait when the cluster settles.</summary>
    public static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    /// <summary>Characters of a gRPC status message, before they are escaped.</summary>
    public const int GrpcMessageMax = 1024;

    /// <summary>A longer grpc-timeout is none.</summary>
    public static readonly TimeSpan GrpcTimeoutMax = TimeSpan.FromDays(1);

    public const int ApiKeyCharsMax = 512;
    public const int ApiKeysMax = 4096;
    public const int ApiKeyFileBytesMax = 1024 * 1024;
    public const int TenantNameMax = 64;

    /// <summary>Label sets of one metric; what comes after is counted as dropped.</summary>
    public const int SeriesMax = 1000;

    /// <summary>A metric with at most so many possible label sets shows all of them from the start.</summary>
    public const int SeriesAtStart = 64;
}
