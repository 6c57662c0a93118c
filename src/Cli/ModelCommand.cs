using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Hearth.Silo;
using Spectre.Console;

namespace Hearth.Cli;

/// <summary><c>hearth model</c>: what is in a checkpoint, whether it can be served, what its conversations cost, and whether it
/// is what it should be.</summary>
static class ModelCommand
{
    static readonly Argument<string> _directory = new("PATH") { Description = "The checkpoint's directory, or a .gguf file" };

    static readonly Option<int> _tokens =
        Flag.Number("--tokens", "Tokens of a conversation, for the figures of what it costs; at most the model's context", 2048);

    static readonly Option<bool> _json = new("--json") { Description = "Write JSON in place of tables" };

    public static Command Create()
    {
        var inspect = new Command("inspect",
            "Check a checkpoint, list what is in it, and tell what its conversations cost in memory and in Redis.\n\n" +
            "Example: hearth model inspect models/demo --kv-memory 4g --tokens 2000")
        {
            _directory, ModelFlags.KvMemory, _tokens, _json,
        };
        inspect.SetAction(Inspect);
        return new Command("model", "Look into checkpoints.") { inspect, Verify() };
    }

    static Command Verify()
    {
        var directory = new Argument<string>("DIR") { Description = "The checkpoint's directory" };
        var sums = new Option<string?>("--sums")
        {
            Description = $"File of 'SHA256  FILE' lines, as sha256sum writes them; DIR/{ModelFiles.SumsName} if not given",
        };
        var copyTo = new Option<string?>("--copy-to")
        {
            Description = "Copy the files there; one that differs is not copied, and what is there and right stays",
        };
        var command = new Command("verify",
            "Compare a checkpoint's files with their checksums.\n\n" +
            "Example: hearth model verify /mnt/llama --copy-to /models/llama")
        {
            directory, sums, copyTo,
        };
        command.SetAction(async (arguments, cancellationToken) =>
        {
            var from = arguments.GetValue(directory)!;
            if (!Directory.Exists(from))
                throw new CliException($"{from} is not a directory.", ExitCodes.Model);
            var files = ModelFiles.Read(arguments.GetValue(sums) ?? Path.Combine(from, ModelFiles.SumsName));
            try
            {
                var to = arguments.GetValue(copyTo);
                var bytes = ByteSize.Format(to is null
                    ? await files.VerifyAsync(from, cancellationToken)
                    : await files.CopyAsync(from, to, cancellationToken));
                Console.WriteLine($"{files.Count} files are right{(to is null ? $", {bytes}" : $"; {bytes} copied")}.");
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw new CliException(error.Message, ExitCodes.Temporary);
            }
            return ExitCodes.Success;
        });
        return command;
    }

    static int Inspect(ParseResult arguments)
    {
        if (arguments.GetValue(_tokens) < 1)
            throw new CliException("--tokens: choose 1 or more.", ExitCodes.Usage);
        var report = ModelReport.Read(arguments.GetValue(_directory)!);
        var tokens = Math.Min(arguments.GetValue(_tokens), report.Card.ContextLength);
        var memory = Flag.Bytes(arguments.GetValue(ModelFlags.KvMemory)) ?? new ModelSettings { Directory = "" }.KvMemoryBytes;
        var sizing = ModelSizing.Of(report, memory, tokens);
        if (arguments.GetValue(_json))
            Console.WriteLine(JsonSerializer.Serialize(sizing, ModelJson.Default.ModelSizing));
        else
            Write(report, sizing);
        return ExitCodes.Success;
    }

    static void Write(ModelReport report, ModelSizing sizing)
    {
        var card = report.Card;
        var facts = new Table().HideHeaders().Border(TableBorder.None).AddColumns("", "");
        Row("model", $"{card.Name} ({card.Family})");
        Row("parameters", card.Parameters.ToString("N0", CultureInfo.InvariantCulture));
        Row("weights", ByteSize.Format(report.WeightBytes));
        Row("served as", string.Join(", ",
            report.Formats.Select(f => $"{f.Matrices} x {f.Format} ({ByteSize.Format(f.Bytes)})")));
        Row("vocabulary", card.VocabularySize.ToString("N0", CultureInfo.InvariantCulture));
        Row("context", $"{card.ContextLength:N0} tokens");
        Row("chats", report.HasTemplate ? "yes" : "no: it has no chat template and completes text only");
        Row("ends with", string.Join(", ", card.EosTokens));
        Row("fingerprint", card.Fingerprint);
        Terminal.Console.Write(facts);

        WriteSizes(sizing);
        var tensors = new Table().Border(TableBorder.Ascii2).AddColumns("tensor", "type", "shape", "size");
        foreach (var tensor in report.Tensors)
            tensors.AddRow(Markup.Escape(tensor.Name), tensor.Type, Markup.Escape(tensor.Shape), ByteSize.Format(tensor.Bytes));
        Terminal.Console.Write(tensors);

        void Row(string name, string value) => facts.AddRow(name, Markup.Escape(value));
    }

    static void WriteSizes(ModelSizing sizing)
    {
        var table = new Table().Border(TableBorder.Ascii2)
            .Title($"what conversations of {sizing.TokensPerConversation:N0} tokens cost");
        table.AddColumns("--kv-type", "bytes per token", $"tokens in {ByteSize.Format(sizing.KvMemoryBytes)}",
            "conversations in it", "full contexts in it", "Redis, each", "--spill-int8, each");
        foreach (var c in sizing.Caches)
        {
            table.AddRow(c.Type, Number(c.BytesPerToken), Number(c.Tokens), Number(c.Conversations), Number(c.FullContexts),
                ByteSize.Format(c.RedisBytes), ByteSize.Format(c.RedisInt8Bytes));
        }
        Terminal.Console.Write(table);

        static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
    }
}

/// <summary>A checkpoint in figures, for people who plan a cluster.</summary>
/// <param name="TokensPerConversation">What the figures of a conversation are for.</param>
sealed record ModelSizing(string Model, string Family, long Parameters, long WeightBytes, int ContextLength, bool HasTemplate,
    string Fingerprint, long KvMemoryBytes, int TokensPerConversation, IReadOnlyList<CacheSizing> Caches)
{
    public static ModelSizing Of(ModelReport report, long memory, int tokens) => new(
        report.Card.Name, report.Card.Family, report.Card.Parameters, report.WeightBytes, report.Card.ContextLength,
        report.HasTemplate, report.Card.Fingerprint, memory, tokens,
        [.. report.Caches.Select(c => CacheSizing.Of(c, report.Card.ContextLength, memory, tokens))]);
}

/// <param name="BytesPerToken">Of the KV memory.</param>
/// <param name="Tokens">That the KV memory holds.</param>
/// <param name="Conversations">That it holds at once, if they share nothing.</param>
/// <param name="RedisBytes">Of one conversation: its cache, its texts, and what Redis adds.</param>
sealed record CacheSizing(string Type, int BlockTokens, long BytesPerToken, long Tokens, long Conversations, long FullContexts,
    long RedisBytes, long RedisInt8Bytes)
{
    // Measured with Redis 7.0 as MEMORY USAGE of a conversation's keys, with turns of a hundred tokens: its texts, journal,
    // results and manifest; and what its allocator adds to a cache's chunks.
    const long RowBytes = 4096, TextBytesPerToken = 32;
    const double Allocated = 1.2;

    public static CacheSizing Of(CacheSize cache, int context, long memory, int tokens)
    {
        var text = RowBytes + (TextBytesPerToken * tokens);
        return new CacheSizing(cache.Type, cache.BlockTokens, cache.BlockBytes / cache.BlockTokens, cache.TokensIn(memory),
            cache.ConversationsIn(memory, tokens), cache.ConversationsIn(memory, context),
            InRedis(cache.SpillBytes), InRedis(cache.SpillInt8Bytes));

        long InRedis(long bytesPerToken) => (long)(Allocated * bytesPerToken * tokens) + text;
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(ModelSizing))]
sealed partial class ModelJson : JsonSerializerContext;
