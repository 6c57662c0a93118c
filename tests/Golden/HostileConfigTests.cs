using System.Text.Json.Nodes;
using Hearth.Engine.Checkpoints;
using Hearth.Engine.Models;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>config.json comes from anywhere: whatever a field says, the model loads, or the file and the field are
/// named.</summary>
public sealed class HostileConfigTests
{
    static readonly string[] s_values =
    [
        "null", "true", "false", "0", "-1", "1", "2", "3", "7", "1e9", "2147483647", "-2147483648", "1e308", "0.5", "1e-30",
        "\"\"",
        "\"silu\"", "\"\\ud800\"", "[]", "[0]", "[1e308, null]", "{}", "{\"rope_type\": \"yarn\", \"factor\": 1e4}",
        "{\"rope_type\": \"longrope\"}", "{\"type\": \"dynamic\", \"factor\": -1}", "[\"sliding_attention\"]",
    ];

    static readonly HashSet<string> s_encoding =
        [.. EncoderTests.Encoders.Concat(EncoderTests.EncoderDecoders).Select(m => m.Data)];

    public static TheoryData<string> Models =>
        [.. ModelTests.Models.Concat(EncoderTests.Encoders).Concat(EncoderTests.EncoderDecoders).Select(m => m.Data)];

    [Theory, MemberData(nameof(Models))]
    public void EveryFieldWithOddValuesLoadsOrIsNamed(string model)
    {
        var source = GoldenFolder.At("models", model);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(source, "config.json")))!.AsObject();
        var (refused, random) = (0, new Random(model.Length));
        foreach (var field in config.Select(f => f.Key).ToArray())
        {
            foreach (var value in random.GetItems(s_values, 5))
            {
                var edited = config.DeepClone().AsObject();
                edited[field] = "?";
                refused += IsRefused(source, edited.ToJsonString().Replace("\"?\"", value, StringComparison.Ordinal)) ? 1 : 0;
            }
            var without = config.DeepClone().AsObject();
            without.Remove(field);
            IsRefused(source, without.ToJsonString());
        }
        Assert.True(refused > 5, $"only {refused} of the configs were refused");
    }

    [Theory, MemberData(nameof(Models))]
    public void SeveralOddFieldsAtOnceLoadOrAreNamed(string model)
    {
        var source = GoldenFolder.At("models", model);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(source, "config.json")))!.AsObject();
        var (fields, random) = (config.Select(f => f.Key).ToArray(), new Random(5));
        for (var round = 0; round < 30; round++)
        {
            var edited = config.DeepClone().AsObject();
            for (var i = 0; i < 3; i++)
                edited[fields[random.Next(fields.Length)]] = Odd(random);
            IsRefused(source, edited.ToJsonString());
        }
    }

    static JsonNode? Odd(Random random) => random.Next(6) switch
    {
        0 => random.Next(),
        1 => random.Next(1, 100),
        2 => random.NextDouble(),
        3 => "text",
        4 => new JsonArray(1, 2, 3),
        _ => null,
    };

    static bool IsRefused(string source, string config)
    {
        using var edited = EditedCheckpoint.WithText(source, config);
        try
        {
            using IDisposable loaded = s_encoding.Contains(Path.GetFileName(source))
                ? new EncoderRig(edited.Directory)
                : LoadedModel.Load(edited.Directory, new ModelOptions { Threads = 1, HeadersOnly = true },
                    TestContext.Current.CancellationToken);
            return false;
        }
        catch (CheckpointException error)
        {
            Assert.False(string.IsNullOrEmpty(error.File));
            return true;
        }
    }
}
