using System.Text.Json.Nodes;
using Xunit;

namespace Hearth.Text.Tests.Tokenizers;

/// <summary>Any bytes in a model's files: it loads and works, or is refused with its file and field, in bounded memory.</summary>
public sealed class TokenizerFuzzTests : IDisposable
{
    const int Rounds = 150;
    const long AllocatedMax = 512L << 20;
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hearth-fuzz-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("llama2_spm")]
    [InlineData("t5_unigram")]
    public void AnyTokenizerModelLoadsOrIsRefused(string name)
    {
        var original = File.ReadAllBytes(GoldenFolder.PathOf("tokenizers", name, "tokenizer.model"));
        var random = new Random(11);
        var refused = 0;
        for (var round = 0; round < Rounds; round++)
        {
            var bytes = Mutated(original, random, headOnly: round % 3 == 0);
            refused += IsRefused("tokenizer.model", bytes) ? 1 : 0;
        }

        Assert.InRange(refused, 10, Rounds - 1);
    }

    [Theory]
    [InlineData("t5_unigram")]
    public void AnyCompiledTableLoadsOrIsRefused(string name)
    {
        var root = JsonNode.Parse(File.ReadAllText(GoldenFolder.PathOf("tokenizers", name, "tokenizer.json")))!;
        var original = Convert.FromBase64String(root["normalizer"]!["precompiled_charsmap"]!.GetValue<string>());
        var random = new Random(12);
        var refused = 0;
        for (var round = 0; round < Rounds; round++)
        {
            var bytes = Mutated(original, random, headOnly: round % 3 == 0);
            root["normalizer"]!["precompiled_charsmap"] = Convert.ToBase64String(bytes);
            refused += IsRefused("tokenizer.json", System.Text.Encoding.UTF8.GetBytes(root.ToJsonString())) ? 1 : 0;
        }

        Assert.InRange(refused, 1, Rounds - 1);
    }

    [Fact]
    public void AModelFileThatLiesAboutItsSizesIsRefused()
    {
        byte[][] files =
        [
            [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], // a piece of 2^64 - 1 bytes
            [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], // a length that never ends
            [0x0A, 0x02, 0x0A, 0x05], // a text longer than its message
            [0x0A, 0x03, 0x0A, 0x01, 0xC3], // half a character
            [0x0B], // a group
            [0x00], // field 0
            [0x12, 0x02, 0x18, 0x04], // a model of characters
            [0x0A, 0x03, 0x0A, 0x01, 0x61, 0x12, 0x03, 0xC0, 0x02, 0x07], // an unknown token that is not there
            [0x0A, 0x08, 0x0A, 0x01, 0x61, 0x15, 0x00, 0x00, 0xC0, 0x7F], // a score that is no number
        ];
        foreach (var bytes in files)
        {
            Assert.True(IsRefused("tokenizer.model", bytes), Convert.ToHexString(bytes));
        }
    }

    bool IsRefused(string file, byte[] bytes)
    {
        File.WriteAllBytes(Path.Combine(_folder.FullName, file), bytes);
        var before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            var tokenizer = Tokenizer.Load(_folder.FullName);
            var ids = tokenizer.Encode("Hello <s> wörld 🎉 ﬁ①\r\n\u3000 e\u0301", addSpecialTokens: true);
            tokenizer.Decode(ids, skipSpecialTokens: false);
            return false;
        }
        catch (TokenizerException error)
        {
            Assert.Contains(file, error.Message, StringComparison.Ordinal);
            return true;
        }
        finally
        {
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, AllocatedMax);
        }
    }

    static byte[] Mutated(byte[] original, Random random, bool headOnly)
    {
        var bytes = original.ToList();
        var end = headOnly ? Math.Min(64, bytes.Count) : bytes.Count;
        for (var changes = 1 + random.Next(4); changes > 0; changes--)
        {
            var at = random.Next(end);
            switch (random.Next(5))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    bytes.Insert(at, (byte)random.Next(256));
                    break;
                case 3:
                    bytes.RemoveAt(at);
                    break;
                default:
                    bytes.RemoveRange(at, Math.Min(random.Next(40), bytes.Count - at));
                    break;
            }

            end = Math.Max(1, Math.Min(end, bytes.Count));
        }

        return [.. bytes];
    }
}
