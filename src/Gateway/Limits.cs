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

    public const int ApiKeyCharsMax = 512;
    public const int ApiKeysMax = 4096;
    public const int ApiKeyFileBytesMax = 1024 * 1024;
    public const int TenantNameMax = 64;

    /// <summary>Label sets of one metric; what comes after is counted as dropped.</summary>
    public const int SeriesMax = 1000;
}
