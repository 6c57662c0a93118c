using System.Buffers;
using System.Text;

namespace Hearth.Text.Tokenizers;

/// <summary>Characters of the byte alphabet back to bytes, and these to text; what is not UTF-8 becomes U+FFFD.</summary>
sealed class ByteLevelStep : DecodeStep
{
    internal override bool Fuses => true;

    internal override TokenSink Open(TokenSink next, bool fused) => new Sink(next);

    internal override byte[] BytesOf(string token) => ByteAlphabet.BytesOf(token);

    sealed class Sink(TokenSink next) : TokenSink
    {
        readonly byte[] _held = new byte[4];
        int _heldCount;

        internal override int HeldBytes => _heldCount + next.HeldBytes;

        internal override void Token(string token)
        {
            var bytes = ArrayPool<byte>.Shared.Rent(_heldCount + token.Length * 3);
            _held.AsSpan(0, _heldCount).CopyTo(bytes);
            var count = _heldCount + Map(token, bytes.AsSpan(_heldCount));
            var text = Decode(bytes.AsSpan(0, count));
            ArrayPool<byte>.Shared.Return(bytes);
            if (text.Length > 0)
            {
                next.Token(text);
            }
        }

        internal override void End()
        {
            if (_heldCount > 0)
            {
                _heldCount = 0;
                next.Token("\uFFFD");
            }

            next.End();
        }

        static int Map(string token, Span<byte> output)
        {
            for (var i = 0; i < token.Length; i++)
            {
                var b = ByteAlphabet.ByteOf(token[i]);
                if (b < 0)
                {
                    return Encoding.UTF8.GetBytes(token, output);
                }

                output[i] = (byte)b;
            }

            return token.Length;
        }

        /// <summary>The text of all but an unfinished code point at the end, which is held.</summary>
        string Decode(ReadOnlySpan<byte> bytes)
        {
            _heldCount = Utf8Text.UnfinishedAtEnd(bytes);
            bytes[^_heldCount..].CopyTo(_held);
            return Encoding.UTF8.GetString(bytes[..^_heldCount]);
        }
    }
}

static class Utf8Text
{
    /// <summary>How many bytes at the end begin a code point that more bytes could complete: 0 to 3.</summary>
    internal static int UnfinishedAtEnd(ReadOnlySpan<byte> bytes)
    {
        for (var count = 1; count <= Math.Min(3, bytes.Length); count++)
        {
            if (Rune.DecodeFromUtf8(bytes[^count..], out _, out _) == OperationStatus.NeedMoreData)
            {
                return count;
            }
        }

        return 0;
    }
}
