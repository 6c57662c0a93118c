using System.Buffers.Binary;

namespace Hearth.Actors.Transport;

enum PeerFrameKind : byte
{
    /// <summary>Payload: the method. Argument: the deadline in ms, 0 for none. The request follows as the first
    /// message.</summary>
    Open = 1,
    /// <summary>The first part of a message. Argument: the whole message's length.</summary>
    Message,
    /// <summary>A further part. Argument: where it begins.</summary>
    More,
    /// <summary>The sender has no more messages. Argument: 1 if it reads none either, for the handler is done.</summary>
    Complete,
    /// <summary>Argument: the <see cref="PeerFault"/> that the receiver shall see; payload: why.</summary>
    Abort,
    /// <summary>Argument: so many more bytes of frames may come.</summary>
    Credit,
    /// <summary>Nothing but a sign of life.</summary>
    Beat,
}

/// <summary>What stands before every payload, little-endian: kind (1 byte), three zeros, call (4), payload length (4), argument
/// (4).</summary>
readonly record struct PeerFrame(PeerFrameKind Kind, uint Call, int Length, uint Argument)
{
    public const int Bytes = 16;

    /// <summary>What the frame takes of its call's credit.</summary>
    public int Cost => Bytes + Length;

    public void Write(Span<byte> to)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(to, (uint)Kind);
        BinaryPrimitives.WriteUInt32LittleEndian(to[4..], Call);
        BinaryPrimitives.WriteInt32LittleEndian(to[8..], Length);
        BinaryPrimitives.WriteUInt32LittleEndian(to[12..], Argument);
    }

    /// <exception cref="PeerProtocolException">No such frame may be sent.</exception>
    public static PeerFrame Read(ReadOnlySpan<byte> from, int frameBytesMax)
    {
        var kind = BinaryPrimitives.ReadUInt32LittleEndian(from);
        var length = BinaryPrimitives.ReadUInt32LittleEndian(from[8..]);
        var argument = BinaryPrimitives.ReadUInt32LittleEndian(from[12..]);
        var (lengthMax, argumentMax) = kind switch
        {
            (uint)PeerFrameKind.Open => (Limits.PeerMethodBytesMax, uint.MaxValue),
            (uint)PeerFrameKind.Message or (uint)PeerFrameKind.More => (frameBytesMax, (uint)Limits.PeerMessageBytesMax),
            (uint)PeerFrameKind.Complete => (0, 1u),
            (uint)PeerFrameKind.Abort => (Limits.PeerErrorBytesMax, (uint)PeerFault.Failed),
            (uint)PeerFrameKind.Credit => (0, 2u * Limits.PeerMessageBytesMax),
            (uint)PeerFrameKind.Beat => (0, 0u),
            _ => throw new PeerProtocolException($"unknown frame kind {kind}"),
        };
        if (length > lengthMax || argument > argumentMax)
            throw new PeerProtocolException($"a {(PeerFrameKind)kind} frame of {length} bytes with argument {argument}");
        return new((PeerFrameKind)kind, BinaryPrimitives.ReadUInt32LittleEndian(from[4..]), (int)length, argument);
    }
}

/// <summary>The peer does not keep to the protocol: its connection ends.</summary>
sealed class PeerProtocolException(string message) : Exception(message);
