using System.Text;
using Hearth.Text.Tokenizers;

namespace Hearth.Text;

/// <summary>
/// Decodes ids as they come. What <see cref="Push"/> and <see cref="Flush"/> return adds up to what
/// <see cref="Tokenizer.Decode"/> gives for all ids, and no code point is ever split. For one sequence and one thread.
/// </summary>
/// <remarks>To take up a sequence elsewhere, push the ids it has so far to a new decoder and drop what that returns.</remarks>
public sealed class IncrementalDecoder
{
    readonly Tokenizer _tokenizer;
    readonly bool _skipsSpecialTokens;
    readonly Output _output = new();
    TokenSink _sink;

    /// <param name="skipSpecialTokens">Whether special tokens leave no text.</param>
    public IncrementalDecoder(Tokenizer tokenizer, bool skipSpecialTokens)
    {
        _tokenizer = tokenizer;
        _skipsSpecialTokens = skipSpecialTokens;
        _sink = tokenizer.OpenDecoder(_output);
    }

    /// <summary>Bytes taken in whose text is not out yet, because what follows may change it.</summary>
    public int PendingBytes => _sink.HeldBytes;

    /// <summary>The text that the id makes certain; empty while more ids are needed.</summary>
    public string Push(int id)
    {
        if (_tokenizer.DecodedFormOf(id) is not { } token || (_skipsSpecialTokens && _tokenizer.IsSpecial(id)))
        {
            return "";
        }

        _sink.Token(token);
        return _output.Take();
    }

    /// <summary>Ends the sequence and gives the text still held; the decoder is then ready for another sequence.</summary>
    public string Flush()
    {
        _sink.End();
        _sink = _tokenizer.OpenDecoder(_output);
        return _output.Take();
    }

    sealed class Output : TokenSink
    {
        readonly StringBuilder _more = new();
        string _first = "";

        internal override void Token(string token)
        {
            if (_first.Length == 0)
            {
                _first = token;
            }
            else
            {
                _more.Append(token);
            }
        }

        internal override void End()
        {
        }

        internal string Take()
        {
            var text = _more.Length == 0 ? _first : _first + _more;
            _first = "";
            _more.Clear();
            return text;
        }
    }
}
