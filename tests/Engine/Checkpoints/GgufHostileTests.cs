using System.Diagnostics;
using System.Text;
using Hearth.Engine.Checkpoints;
using Hearth.Engine.Models;
using Xunit;

namespace Hearth.Engine.Tests.Checkpoints;

/// <summary>A GGUF file from a stranger is read soundly or refused with its name and field, at once and without much
/// memory.</summary>
public sealed class GgufHostileTests
{
    [Fact]
    public void ASoundFileLoads()
    {
        using var files = new CheckpointFiles();
        using var model = Load(files.Write("small.gguf", GgufBytes.Llama()));
        Assert.Equal(("small", "llama", 16, 64), (model.Card.Name, model.Card.Family, model.Card.VocabularySize,
            model.Card.ContextLength));
        Assert.Equal([2], model.Card.EosTokens);
        var fingerprint = model.Card.Fingerprint;
        using var again = LoadedModel.Load(files.PathOf("small.gguf"),
            new ModelOptions { Threads = 1, Quantize = Kernels.DType.Q8 }, TestContext.Current.CancellationToken);
        Assert.NotEqual(fingerprint, again.Card.Fingerprint);
    }

    [Theory]
    [InlineData("general.architecture", "mamba", "general.architecture", "supported are llama")]
    [InlineData("general.architecture", 7, "general.architecture", "string")]
    [InlineData("general.alignment", 0, "general.alignment", "whole number")]
    [InlineData("split.count", 3, "split.count", "merge")]
    [InlineData("llama.embedding_length", -8, "llama.embedding_length", "whole number")]
    [InlineData("llama.embedding_length", "8", "llama.embedding_length", "whole number")]
    [InlineData("llama.block_count", 100_000, "llama.block_count", "whole number")]
    [InlineData("llama.attention.head_count", 3, "blk.0.attn_q.weight", "do not divide")]
    [InlineData("llama.attention.head_count", 0, "llama.attention.head_count", "whole number")]
    [InlineData("llama.attention.head_count_kv", 4, "llama.attention.head_count_kv", "whole number")]
    [InlineData("llama.expert_count", 8, "llama.expert_count", "mixture")]
    [InlineData("llama.rope.freq_base", float.NaN, "llama.rope.freq_base", "number from")]
    [InlineData("tokenizer.ggml.eos_token_id", 99, "tokenizer.ggml.eos_token_id", "whole number")]
    [InlineData("llama.context_length", null, "llama.context_length", "missing")]
    public void AFieldThatMakesNoModelIsNamed(string field, object? value, string item, string reason)
    {
        using var files = new CheckpointFiles();
        var path = files.Write("small.gguf", GgufBytes.Llama((field, value)));
        var error = Assert.Throws<CheckpointException>(() => Load(path));
        Assert.Equal((path, item), (error.File, error.Item));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("blk.0.attn_q.weight", 99u, null, "blk.0.attn_q.weight", "ggml's type 99")]
    [InlineData("blk.0.attn_q.weight", 12u, null, "blk.0.attn_q.weight", "columns of a block")]
    [InlineData("blk.0.attn_q.weight", 0u, new long[] { 4, 8 }, "model.layers.0.self_attn.q_proj.weight", "shape")]
    [InlineData("blk.0.attn_q.weight", 0u, new long[] { 7, 8 }, "blk.0.attn_q.weight", "do not divide")]
    [InlineData("blk.0.attn_q.weight", 0u, new long[] { 1L << 40, 1L << 40 }, "blk.0.attn_q.weight", "overflows")]
    [InlineData("blk.0.attn_q.weight", 0u, new long[] { 1L << 40, 8 }, "blk.0.attn_q.weight", "past the end")]
    [InlineData("blk.0.attn_q.weight", 0u, new long[] { 1, 1, 1, 8, 8 }, "blk.0.attn_q.weight", "dimensions")]
    [InlineData("output_norm.weight", 0u, new long[] { 9 }, "output.weight", "overlap")]
    public void ATensorThatDoesNotFitIsNamed(string name, uint type, long[]? shape, string item, string reason)
    {
        using var files = new CheckpointFiles();
        var path = files.Write("small.gguf", GgufBytes.Llama(spoiled: (name, type, shape)));
        var error = Assert.Throws<CheckpointException>(() => Load(path));
        Assert.Equal((path, item), (error.File, error.Item));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ATruncatedOrMissingOrForeignFileIsRefused()
    {
        using var files = new CheckpointFiles();
        var sound = GgufBytes.Llama();
        foreach (var length in new[] { 0, 1, 4, 8, 23, 24, 200, 900, sound.Length - 1 })
        {
            var path = files.Write("cut.gguf", sound[..length]);
            Assert.Equal(path, Assert.Throws<CheckpointException>(() => Load(path)).File);
        }
        Assert.Throws<CheckpointException>(() => Load(files.PathOf("none.gguf")));
        Assert.Equal("magic", Assert.Throws<CheckpointException>(
            () => Load(files.Write("foreign.gguf", Encoding.UTF8.GetBytes(new string('x', 500))))).Item);
    }

    /// <summary>Random damage to the header: what is accepted lies in the file, what is refused is refused in words.</summary>
    [Fact]
    public void NoDamageLeadsOutOfTheFile()
    {
        using var files = new CheckpointFiles();
        var (random, sound) = (new Random(6), GgufBytes.Llama());
        var header = GgufBytes.HeaderLength(sound);
        ulong[] numbers = [0, 1, 31, 1 << 20, int.MaxValue, uint.MaxValue, 1UL << 40, long.MaxValue, ulong.MaxValue];
        var (accepted, refused) = (0, 0);
        for (var round = 0; round < 3000; round++)
        {
            var bytes = (byte[])sound.Clone();
            for (var i = random.Next(1, 4); i > 0; i--)
            {
                var at = random.Next(header - 8);
                if (random.Next(2) == 0)
                    bytes[at] = (byte)random.Next(256);
                else
                    BitConverter.TryWriteBytes(bytes.AsSpan(at), numbers[random.Next(numbers.Length)]);
            }
            var path = files.Write("damaged.gguf", bytes);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using var checkpoint = Checkpoint.Open(path);
                Assert.All(checkpoint.Tensors, t => Assert.InRange(t.Offset, 0, bytes.Length - t.Length));
                accepted++;
            }
            catch (CheckpointException error)
            {
                Assert.Equal(path, error.File);
                refused++;
            }
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 8 << 20);
        }
        Assert.True(accepted > 0 && refused > accepted / 10,
            $"{accepted} accepted, {refused} refused: the damage proves nothing");
    }

    /// <summary>A file of 80 MB that is nothing but lists.</summary>
    [Fact]
    public void EndlessListsAreRefusedSoon()
    {
        using var files = new CheckpointFiles();
        var path = files.Write("lists.gguf", GgufBytes.Lists(count: 20, items: 4 << 20));
        var (before, watch) = (GC.GetAllocatedBytesForCurrentThread(), Stopwatch.StartNew());
        Assert.Contains("entries", Assert.Throws<CheckpointException>(() => Load(path)).Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64L << 20);
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(10));
    }

    static LoadedModel Load(string path) =>
        LoadedModel.Load(path, new ModelOptions { Threads = 1 }, TestContext.Current.CancellationToken);
}
