using System.Security.Cryptography;
using System.Text;

namespace Hearth.Contracts;

/// <summary>Names a history, so that a plain chat completion that resends its messages finds its conversation.</summary>
public static class HistoryHash
{
    /// <summary>SHA-256 (hex) over model and items: kinds, roles, names and texts, each with its length, ids left out.
    /// Keyed by nothing: always used together with the tenant.</summary>
    public static string Of(string model, IEnumerable<ConversationItem> items)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, model);
        foreach (var item in items)
        {
            switch (item)
            {
                case MessageItem m:
                    Append(hash, "message", m.Role.ToString(), m.Name ?? "", m.Text);
                    break;
                case FunctionCallItem c:
                    Append(hash, "function_call", c.CallId, c.Name, c.Arguments);
                    break;
                case FunctionCallOutputItem o:
                    Append(hash, "function_call_output", o.CallId, o.Output);
                    break;
                case ReasoningItem:
                    break; // clients do not send reasoning back
            }
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    static void Append(IncrementalHash hash, params ReadOnlySpan<string> parts)
    {
        Span<byte> length = stackalloc byte[4];
        foreach (var part in parts)
        {
            var bytes = Encoding.UTF8.GetBytes(part);
            System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
            hash.AppendData(length);
            hash.AppendData(bytes);
        }
    }
}
