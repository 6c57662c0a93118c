using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Hearth.Actors.Transport;

/// <summary>
/// What both sides say before the first frame:
/// <code>
/// client: "HRTH", version (2 bytes), flags (1), length of the cluster's name (1), nonce (32), name
/// server: "HRTH", version (2 bytes), answer (1), flags (1), nonce (32), proof (32)
/// client: proof (32)
/// server: answer (1)
/// </code>
/// A proof is HMAC-SHA256 with the cluster's secret over a role's name and both hellos; zeros without a secret. Of several
/// secrets the server takes its first one, and the client the same one, if it has it. What follows is neither encrypted nor
/// signed, unless the line is (<see cref="PeerTls"/>).
/// </summary>
static class PeerHandshake
{
    public const ushort Version = 1;

    /// <summary>The longest hello: more is not read before it.</summary>
    public const int BytesMax = FixedBytes + byte.MaxValue;

    const int FixedBytes = 40;
    const int ProofBytes = 32;
    const byte BulkFlag = 1;
    const byte SecretFlag = 1;

    static readonly byte[] Magic = "HRTH"u8.ToArray();

    enum Answer : byte
    {
        Welcome = 0,
        OtherVersion,
        OtherCluster,
        WrongSecret,
        TooManyConnections,
    }

    /// <exception cref="PeerException">Refused, with the reason.</exception>
    /// <exception cref="PeerProtocolException">The other side is no peer.</exception>
    public static async Task AskAsync(
        PeerLine line, PeerInbox inbox, PeerIdentity identity, bool bulk, CancellationToken cancellationToken)
    {
        var name = Encoding.UTF8.GetBytes(identity.Cluster);
        var hello = new byte[FixedBytes + name.Length];
        WriteHead(hello, Version, bulk ? BulkFlag : (byte)0, (byte)name.Length);
        RandomNumberGenerator.Fill(hello.AsSpan(8, 32));
        name.CopyTo(hello, FixedBytes);
        await line.SendAsync(hello, cancellationToken);

        var answer = (await ReadAsync(inbox, FixedBytes + ProofBytes, cancellationToken)).ToArray();
        CheckMagic(answer);
        var version = BinaryPrimitives.ReadUInt16LittleEndian(answer.AsSpan(4));
        if (version != Version || (Answer)answer[6] != Answer.Welcome)
            throw Refused((Answer)answer[6], version);
        if ((answer[7] & SecretFlag) != FlagOf(identity))
        {
            throw new PeerException(PeerFault.Refused, identity.Secrets.Count == 0
                ? "the peer asks for the cluster's secret and this process has none"
                : "the peer has no secret and this process has one");
        }
        if (!IsProof(answer.AsSpan(FixedBytes), identity, "server"u8, hello, answer, out var secret))
            throw Refused(Answer.WrongSecret, version);
        await line.SendAsync(Proof(secret, "client"u8, hello, answer), cancellationToken);
        var last = (Answer)(await ReadAsync(inbox, 1, cancellationToken)).Span[0];
        if (last != Answer.Welcome)
            throw Refused(last, version);
    }

    /// <summary>Whether the caller wants a bulk connection; null when it was refused, and told so.</summary>
    /// <exception cref="PeerProtocolException">The other side is no peer.</exception>
    public static async Task<bool?> AnswerAsync(
        PeerLine line, PeerInbox inbox, PeerIdentity identity, bool full, CancellationToken cancellationToken)
    {
        var head = (await ReadAsync(inbox, 8, cancellationToken)).ToArray();
        CheckMagic(head);
        // Only the first six bytes mean the same in every version.
        var refusal = BinaryPrimitives.ReadUInt16LittleEndian(head.AsSpan(4)) != Version ? Answer.OtherVersion : Answer.Welcome;
        byte[] hello = head;
        if (refusal == Answer.Welcome)
        {
            hello = [.. head, .. (await ReadAsync(inbox, FixedBytes - 8 + head[7], cancellationToken)).Span];
            if (!hello.AsSpan(FixedBytes).SequenceEqual(Encoding.UTF8.GetBytes(identity.Cluster)))
                refusal = Answer.OtherCluster;
            else if (full)
                refusal = Answer.TooManyConnections;
        }
        var answer = new byte[FixedBytes + ProofBytes];
        WriteHead(answer, Version, (byte)refusal, FlagOf(identity));
        RandomNumberGenerator.Fill(answer.AsSpan(8, 32));
        if (refusal == Answer.Welcome)
            Proof(FirstOf(identity), "server"u8, hello, answer).CopyTo(answer, FixedBytes);
        await line.SendAsync(answer, cancellationToken);
        if (refusal != Answer.Welcome)
            return null;

        var proof = await ReadAsync(inbox, ProofBytes, cancellationToken);
        if (!IsProof(proof.Span, identity, "client"u8, hello, answer, out _))
            refusal = Answer.WrongSecret;
        await line.SendAsync(new[] { (byte)refusal }, cancellationToken);
        return refusal == Answer.Welcome ? (head[6] & BulkFlag) != 0 : null;
    }

    static void WriteHead(Span<byte> to, ushort version, byte first, byte second)
    {
        Magic.CopyTo(to);
        BinaryPrimitives.WriteUInt16LittleEndian(to[4..], version);
        (to[6], to[7]) = (first, second);
    }

    static void CheckMagic(ReadOnlySpan<byte> hello)
    {
        if (!hello.StartsWith(Magic))
            throw new PeerProtocolException("this is no peer of a Hearth cluster");
    }

    static byte[] Proof(ReadOnlyMemory<byte> secret, ReadOnlySpan<byte> role, byte[] hello, byte[] answer)
    {
        if (secret.IsEmpty)
            return new byte[ProofBytes];
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, secret.Span);
        hmac.AppendData(role);
        hmac.AppendData(hello);
        hmac.AppendData(answer.AsSpan(0, FixedBytes));
        return hmac.GetHashAndReset();
    }

    /// <param name="secret">The one of the identity's secrets that it was made with.</param>
    static bool IsProof(ReadOnlySpan<byte> proof, PeerIdentity identity, ReadOnlySpan<byte> role, byte[] hello, byte[] answer,
        out ReadOnlyMemory<byte> secret)
    {
        secret = FirstOf(identity);
        var found = CryptographicOperations.FixedTimeEquals(proof, Proof(secret, role, hello, answer));
        foreach (var older in identity.Secrets.Skip(1))
        {
            if (CryptographicOperations.FixedTimeEquals(proof, Proof(older, role, hello, answer)))
                (found, secret) = (true, older);
        }
        return found;
    }

    static ReadOnlyMemory<byte> FirstOf(PeerIdentity identity) =>
        identity.Secrets.Count > 0 ? identity.Secrets[0] : default;

    static byte FlagOf(PeerIdentity identity) => identity.Secrets.Count == 0 ? (byte)0 : SecretFlag;

    static PeerException Refused(Answer answer, ushort version) => new(PeerFault.Refused, answer switch
    {
        Answer.OtherCluster => "the peer belongs to a cluster of another name",
        Answer.WrongSecret => "the peer has another secret",
        Answer.TooManyConnections => "the peer has too many connections",
        _ => $"the peer speaks version {version} of the protocol, this process version {Version}: update the older one",
    });

    static async ValueTask<ReadOnlyMemory<byte>> ReadAsync(PeerInbox inbox, int count, CancellationToken cancellationToken)
    {
        var read = await inbox.ReadAsync(count, cancellationToken);
        return read.IsEmpty ? throw new PeerProtocolException("the connection ended within the handshake") : read;
    }
}
