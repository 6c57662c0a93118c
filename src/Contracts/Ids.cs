namespace Hearth.Contracts;

/// <summary>A customer of the cluster; known from the API key only. Nothing is shared between tenants.</summary>
public readonly record struct TenantId(string Value)
{
    /// <summary>The one tenant of a server without API keys.</summary>
    public static TenantId Local { get; } = new("local");

    public override string ToString() => Value;
}

/// <summary>A conversation's name, unique within its tenant: 1 to 128 of <c>A-Z a-z 0-9 _ . : -</c>.</summary>
public readonly record struct ConversationId(string Value)
{
    public const int LengthMax = 128;

    public static bool IsValid(string? value) =>
        value is { Length: > 0 and <= LengthMax } && !value.AsSpan().ContainsAnyExcept(IdCharacters.All);

    public override string ToString() => Value;
}

/// <summary>One user request and its reply; a turn is idempotent by this id. Same alphabet as a conversation id.</summary>
public readonly record struct TurnId(string Value)
{
    public override string ToString() => Value;
}

static class IdCharacters
{
    public static readonly System.Buffers.SearchValues<char> All =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-");
}
