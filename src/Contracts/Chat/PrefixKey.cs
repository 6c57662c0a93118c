using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Hearth.Contracts;

/// <summary>Names what a conversation begins with, so that it is placed where that was computed before. Silos tell the keys of
/// their latest turns with their load; gateways compare. A hint: equal keys need not mean equal tokens.</summary>
public static class PrefixKey
{
    /// <summary>More items than these never count.</summary>
    public const int ItemsMax = 8;

    /// <summary>Instructions this long are worth sharing by themselves; shorter ones only together with what follows
    /// them.</summary>
    const int SharedCharsMin = 256;

    const int HeadCharsMax = 4096;

    /// <summary>The first 8 bytes of a SHA-256 over tenant, model, salt, the leading system and developer messages and, where
    /// those are short, the head of the first other message. 0: there is nothing worth sharing.</summary>
    public static ulong Of(TenantId tenant, string model, string? salt, IReadOnlyList<ConversationItem> items)
    {
        var head = new StringBuilder();
        foreach (var item in items.Take(ItemsMax))
        {
            var instructs = item is MessageItem { Role: Role.System or Role.Developer };
            if (item is not MessageItem message || head.Length >= HeadCharsMax || (!instructs && head.Length >= SharedCharsMin))
            {
                break;
            }
            head.Append((char)message.Role).Append(message.Text.AsSpan(0, Math.Min(message.Text.Length,
                instructs ? HeadCharsMax : SharedCharsMin)));
            if (!instructs)
            {
                break;
            }
        }
        if (head.Length == 0)
        {
            return 0;
        }
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{tenant.Value}\n{model}\n{salt}\n{head}"), hash);
        return BinaryPrimitives.ReadUInt64LittleEndian(hash);
    }
}
