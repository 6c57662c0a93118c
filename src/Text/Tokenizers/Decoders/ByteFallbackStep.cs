using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace Hearth.Text.Tokenizers;

/// <summary>
/// Tokens '&lt;0x00&gt;' to '&lt;0xFF&gt;' are bytes. A run of them is text if the whole run is UTF-8, otherwise each byte is
/// one U+FFFD, so a run is held until it ends; only of a long one is what is whole so far passed on.
/// </summary>
sealed class ByteFallbackStep : DecodeStep
{
    internal override TokenSink Open(TokenSink next, bool fused) => new Sink(next);

    internal override byte[]? BytesOf(string token) => TryParse(token, out var b) ? [b] : null;

    static bool TryParse(string token, out byte b)
    {
        b = 0;
        return token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
            && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out b);
    }

    sealed class Sink(TokenSink next) : TokenSink
    {
        readonly byte[] _run = new byte[Limits.Tokenizer.HeldBytesMax];
        int _count;

        internal override int HeldBytes => _count + next.HeldBytes;

        internal override void Token(string token)
        {
            if (!TryParse(token, out var b))
            {
                Release(_count);
                next.Token(token);
                return;
            }

            if (_count == _run.Length)
            {
                Release(_count - Utf8Text.UnfinishedAtEnd(_run));
            }

            _run[_count++] = b;
        }

        internal override void End()
        {
            Release(_count);
            next.End();
        }

        void Release(int count)
        {
            if (count == 0)
            {
                return;
            }

            var bytes = _run.AsSpan(0, count);
            next.Token(Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : new string('\uFFFD', count));
            _run.AsSpan(count, _count - count).CopyTo(_run);
            _count -= count;
        }
    }
}
