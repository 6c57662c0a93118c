using System.Buffers;
using System.Text;

namespace Hearth.Text.Tokenizers;

/// <summary>
/// GPT-2's alphabet: every byte has a printable character, so that byte-level vocabularies are text.
/// Bytes that are printable in Latin-1 stand for themselves, the other 68 follow from U+0100 on.
/// </summary>
static class ByteAlphabet
{
    const int CharactersEnd = 0x144;
    static readonly char[] Characters = new char[256];
    static readonly short[] Bytes = new short[CharactersEnd];

    static ByteAlphabet()
    {
        Bytes.AsSpan().Fill(-1);
        var next = 0x100;
        for (var b = 0; b < 256; b++)
        {
            var printable = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            Characters[b] = (char)(printable ? b : next++);
            Bytes[Characters[b]] = (short)b;
        }
    }

    internal static char CharacterOf(byte b) => Characters[b];

    /// <summary>The byte that the character stands for, or -1.</summary>
    internal static int ByteOf(char c) => c < CharactersEnd ? Bytes[c] : -1;

    internal static string Mapped(string text)
    {
        var output = new StringBuilder(text.Length);
        AppendMapped(text, output);
        return output.ToString();
    }

    /// <summary>The text's UTF-8 bytes, each as its character.</summary>
    internal static void AppendMapped(ReadOnlySpan<char> text, StringBuilder output)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
        var count = Encoding.UTF8.GetBytes(text, bytes);
        foreach (var b in bytes.AsSpan(0, count))
        {
            output.Append(Characters[b]);
        }

        ArrayPool<byte>.Shared.Return(bytes);
    }

    /// <summary>The bytes a token stands for; a token with any other character stands for its own UTF-8.</summary>
    internal static byte[] BytesOf(string token)
    {
        var bytes = new byte[token.Length];
        for (var i = 0; i < token.Length; i++)
        {
            var b = ByteOf(token[i]);
            if (b < 0)
            {
                return Encoding.UTF8.GetBytes(token);
            }

            bytes[i] = (byte)b;
        }

        return bytes;
    }
}
