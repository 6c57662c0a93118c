using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hearth.Actors.Storage;
using Hearth.Contracts;

namespace Hearth.Grains;

/// <summary>What makes a turn repeatable on any silo.</summary>
static class StoredTurn
{
    /// <summary>The turn as its first owner recorded it; null if its record holds none that can be read.</summary>
    public static ChatTurn? Of(StoredOperation? operation)
    {
        if (operation?.Request is not { Length: > 0 } request)
            return null;
        try
        {
            return JsonSerializer.Deserialize(request, ContractsJson.Default.ChatTurn);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>The seed of a turn whose client gave none: of its name.</summary>
    public static long SeedOf(ChatTurn turn)
    {
        var name = $"{turn.Tenant}\n{turn.Conversation}\n{turn.Id}";
        return BinaryPrimitives.ReadInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(name))) >>> 2;
    }
}
