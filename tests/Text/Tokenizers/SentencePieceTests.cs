using Xunit;

namespace Hearth.Text.Tests.Tokenizers;

/// <summary>A folder with tokenizer.model alone gives what it gives with the tokenizer.json that was made of it.</summary>
public sealed class SentencePieceTests : IDisposable
{
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hearth-sentencepiece-");

    public static TheoryData<string> Names => [.. GoldenFolder.Names("tokenizers")
        .Where(name => File.Exists(GoldenFolder.PathOf("tokenizers", name) + "/tokenizer.model"))];

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory, MemberData(nameof(Names))]
    public void TheModelFileAloneGivesTheReference(string name)
    {
        var source = GoldenFolder.PathOf("tokenizers", name);
        foreach (var file in new[] { "tokenizer.model", "tokenizer_config.json" })
        {
            File.Copy(Path.Combine(source, file), Path.Combine(_folder.FullName, file));
        }

        var tokenizer = Tokenizer.Load(_folder.FullName);
        var cases = TokenizerGoldenTests.Cases(name);
        TokenizerGoldenTests.CompareIds(tokenizer, cases);
        TokenizerGoldenTests.CompareTexts(tokenizer, cases);
        TokenizerGoldenTests.CompareStreams(tokenizer, cases);
        TokenizerGoldenTests.ComparePairs(tokenizer, cases);
    }
}
