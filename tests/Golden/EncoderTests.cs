using System.Text.Json;
using Hearth.Kernels;
using Xunit;

namespace Hearth.Golden.Tests;

/// <summary>Encoders, and decoders that read one, against transformers.</summary>
public sealed class EncoderTests
{
    const float Tolerance = 1e-4f;

    public static TheoryData<string> Encoders => Models(json => !json.TryGetProperty("greedy", out _));

    public static TheoryData<string> EncoderDecoders => Models(json => json.TryGetProperty("decoder_input_ids", out _));

    [Theory, MemberData(nameof(Encoders))]
    public void WhatAnEncoderGivesAgreesAtEveryPosition(string model)
    {
        using var reference = new Reference(GoldenFolder.At("models", model));
        using var rig = new EncoderRig(GoldenFolder.At("models", model));
        var ids = reference.InputIds;
        Agrees(reference, rig, rig.Encode([ids]), ids.Length, reference.Has("logits") ? "logits" : "last_hidden_state");
        if (!reference.Has("pooler_output"))
            return;
        var pooled = new float[ids.Length * rig.Spec.Width];
        rig.Encoder!.Pool(rig.Encode([ids]), pooled);
        Assert.InRange(Reference.Deviation(pooled.AsSpan(0, rig.Spec.Width), reference.Tensor("pooler_output")), 0, Tolerance);
    }

    /// <summary>The reference pads on the right; here the sequences lie side by side.</summary>
    [Theory, MemberData(nameof(Encoders))]
    public void SequencesOfABatchAgree(string model)
    {
        using var reference = new Reference(GoldenFolder.At("models", model));
        using var rig = new EncoderRig(GoldenFolder.At("models", model));
        var batch = reference.Json.GetProperty("batch");
        var (prompts, lengths) = Prompts(batch);
        int[]? types = batch.TryGetProperty("token_type_ids", out var given) && given.ValueKind == JsonValueKind.Array
            ? [.. given.EnumerateArray().SelectMany((list, i) => Reference.Ids(list)[..lengths[i]])] : null;
        var encoded = rig.Encode(prompts, types);
        var actual = Output(rig, encoded, lengths.Sum());
        var expected = reference.Tensor("batch.output");
        var width = actual.Length / lengths.Sum();
        var padded = expected.Length / 2 / width;
        var first = lengths[0] * width;
        Assert.InRange(Reference.Deviation(actual.AsSpan(0, first), expected.AsSpan(0, first)), 0, Tolerance);
        Assert.InRange(Reference.Deviation(actual.AsSpan(first),
            expected.AsSpan(padded * width, lengths[1] * width)), 0, Tolerance);
    }

    [Theory, MemberData(nameof(EncoderDecoders))]
    public void DecodersAgreeAtOnceAndTokenByToken(string model)
    {
        using var reference = new Reference(GoldenFolder.At("models", model));
        using var rig = new EncoderRig(GoldenFolder.At("models", model));
        var (cross, expected) = (rig.Begin(reference.InputIds)[0], reference.Tensor("logits"));
        var encoded = rig.Read(rig.Encoded, reference.InputIds.Length);
        Assert.InRange(Reference.Deviation(encoded, reference.Tensor("encoder_last_hidden_state")), 0, Tolerance);
        var ids = Reference.Ids(reference.Json.GetProperty("decoder_input_ids"));
        var whole = rig.Decode((ids, 0, rig.Blocks(ids.Length), cross));
        Assert.InRange(Reference.Deviation(whole, expected), 0, Bound(model));
        var (blocks, steps) = (rig.Blocks(ids.Length), new List<float>());
        for (var i = 0; i < ids.Length; i++)
            steps.AddRange(rig.Decode(([ids[i]], i, blocks, cross)));
        Assert.Equal(whole, steps);
    }

    [Theory, MemberData(nameof(EncoderDecoders))]
    public void AGreedyReplyHasTheSameIds(string model)
    {
        using var reference = new Reference(GoldenFolder.At("models", model));
        using var rig = new EncoderRig(GoldenFolder.At("models", model));
        var greedy = reference.Json.GetProperty("greedy");
        var expected = Reference.Ids(greedy.GetProperty("tokens"));
        var (cross, blocks) = (rig.Begin(reference.InputIds)[0], rig.Blocks(expected.Length));
        var (token, ids, logits) = (greedy.GetProperty("decoder_start_token_id").GetInt32(), new List<int>(), new List<float>());
        foreach (var _ in expected)
        {
            var row = rig.Decode(([token], ids.Count, blocks, cross));
            logits.AddRange(row);
            ids.Add(token = row.AsSpan().IndexOf(row.Max()));
        }
        Assert.Equal(expected, ids);
        Assert.InRange(Reference.Deviation(logits.ToArray(), reference.Tensor("greedy.logits")), 0, Bound(model));
    }

    [Theory, MemberData(nameof(EncoderDecoders))]
    public void DecodersOfABatchAgree(string model)
    {
        using var reference = new Reference(GoldenFolder.At("models", model));
        using var rig = new EncoderRig(GoldenFolder.At("models", model));
        var batch = reference.Json.GetProperty("batch");
        var cross = rig.Begin(Prompts(batch).Prompts);
        var ids = batch.GetProperty("decoder_input_ids").EnumerateArray().Select(Reference.Ids).ToArray();
        var logits = rig.Decode(
            (ids[0], 0, rig.Blocks(ids[0].Length), cross[0]), (ids[1], 0, rig.Blocks(ids[1].Length), cross[1]));
        Assert.InRange(Reference.Deviation(logits, reference.Tensor("batch.logits")), 0, Bound(model));
    }

    /// <summary>T5's scores are not scaled: a random model's attention is so sharp that rounding alone grows beyond the bound.
    /// How far is told by the vector widths, which differ in rounding only.</summary>
    static float Bound(string model)
    {
        using var reference = new Reference(GoldenFolder.At("models", model));
        var ids = Reference.Ids(reference.Json.GetProperty("decoder_input_ids"));
        float[] Logits(KernelSet kernels)
        {
            using var rig = new EncoderRig(GoldenFolder.At("models", model), kernels);
            var cross = rig.Begin(reference.InputIds)[0];
            return rig.Decode((ids, 0, rig.Blocks(ids.Length), cross));
        }
        return Math.Max(Tolerance, 4 * Reference.Deviation(Logits(KernelSet.Default), Logits(KernelSet.Scalar)));
    }

    static void Agrees(Reference reference, EncoderRig rig, Engine.Devices.BufferId encoded, int rows, string tensor) =>
        Assert.InRange(Reference.Deviation(Output(rig, encoded, rows), reference.Tensor(tensor)), 0, Tolerance);

    static float[] Output(EncoderRig rig, Engine.Devices.BufferId encoded, int rows)
    {
        if (rig.Spec.Head is null)
            return rig.Read(encoded, rows);
        var logits = new float[rows * rig.Spec.VocabularySize];
        rig.Encoder!.Predict(encoded, logits);
        return logits;
    }

    static (int[][] Prompts, int[] Lengths) Prompts(JsonElement batch)
    {
        int[] lengths = [.. batch.GetProperty("attention_mask").EnumerateArray().Select(m => Reference.Ids(m).Sum())];
        var prompts = batch.GetProperty("input_ids").EnumerateArray().Select((ids, i) => Reference.Ids(ids)[..lengths[i]]);
        return ([.. prompts], lengths);
    }

    static TheoryData<string> Models(Func<JsonElement, bool> isWanted) =>
    [
        .. Directory.GetDirectories(GoldenFolder.At("models")).Select(d => Path.GetFileName(d)!).Where(model =>
        {
            using var reference = new Reference(GoldenFolder.At("models", model));
            return isWanted(reference.Json);
        }),
    ];
}
