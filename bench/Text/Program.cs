using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Hearth.Text;

// Usage: Text.Bench REPOSITORY FOLDER...: encodes three texts with the tokenizer of each folder, on one thread.
// Texts: the repository's prose, its code, and the golden tokenizers' cases (many scripts). peer.js takes the same arguments.
const int PieceCharacters = 8192;
const double SecondsEach = 1;
if (args.Length < 2)
{
    Console.Error.WriteLine("Usage: Text.Bench REPOSITORY FOLDER...");
    return 2;
}

var texts = Corpus.Read(args[0]);
Console.WriteLine($"MB/s of UTF-8, pieces of {PieceCharacters} characters; prose, code, scripts; then ns per decoded token");
foreach (var folder in args.Skip(1))
{
    var tokenizer = Tokenizer.Load(folder);
    var line = new StringBuilder(Path.GetFileName(folder).PadRight(26));
    foreach (var text in texts)
    {
        var pieces = text.Chunk(PieceCharacters).Select(piece => new string(piece)).ToArray();
        var bytes = pieces.Sum(Encoding.UTF8.GetByteCount);
        var rate = Best(() => Array.ForEach(pieces, piece => tokenizer.EncodePlain(piece, addSpecialTokens: false)), bytes);
        line.Append(CultureInfo.InvariantCulture, $"{rate / 1e6,8:F1}");
    }

    var ids = tokenizer.EncodePlain(texts[0], addSpecialTokens: false);
    var tokens = Best(() => tokenizer.Decode(ids, skipSpecialTokens: true), ids.Length);
    line.Append(CultureInfo.InvariantCulture, $"{1e9 / tokens,8:F0}");
    Console.WriteLine(line);
}

return 0;

// The best round of a second's worth: what the machine's other work takes is not ours.
static double Best(Action round, double amount)
{
    var best = 0.0;
    round();
    for (var start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start).TotalSeconds < SecondsEach;)
    {
        var begin = Stopwatch.GetTimestamp();
        round();
        best = Math.Max(best, amount / Stopwatch.GetElapsedTime(begin).TotalSeconds);
    }

    return best;
}

static class Corpus
{
    const int CharactersMax = 500_000;

    internal static string[] Read(string repository) =>
    [
        Join(Directory.EnumerateFiles(Path.Combine(repository, "docs"), "*.md", SearchOption.AllDirectories)),
        Join(Directory.EnumerateFiles(Path.Combine(repository, "src"), "*.cs", SearchOption.AllDirectories)),
        string.Concat(Directory.EnumerateFiles(Path.Combine(repository, "tests", "golden", "tokenizers"), "cases.json",
            SearchOption.AllDirectories).Order(StringComparer.Ordinal).SelectMany(Texts)),
    ];

    static IEnumerable<string> Texts(string path)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        var cases = document.RootElement.GetProperty("cases").EnumerateArray();
        return [.. cases.Select(item => item.GetProperty("text").GetString()!)];
    }

    static string Join(IEnumerable<string> files)
    {
        var text = string.Concat(files.Order(StringComparer.Ordinal).Select(File.ReadAllText));
        return text[..Math.Min(text.Length, CharactersMax)];
    }
}
