using System.Text;

namespace Hearth.Text.Tokenizers;

/// <summary>Takes tokens one by one and passes on what they become.</summary>
abstract class TokenSink
{
    /// <summary>Bytes held back because what follows may change their text.</summary>
    internal virtual int HeldBytes => 0;

    internal abstract void Token(string token);

    internal abstract void End();
}

/// <summary>One step from tokens to text. Steps work on streams: decoding at once and bit by bit is the same code.</summary>
abstract class DecodeStep
{
    /// <summary>Whether the steps after this one see the whole text as one token.</summary>
    internal virtual bool Fuses => false;

    /// <param name="fused">Whether a step before this one fused the tokens.</param>
    internal abstract TokenSink Open(TokenSink next, bool fused);

    /// <summary>What the token becomes regardless of its neighbours.</summary>
    internal virtual string PieceOf(string token) => token;

    /// <summary>The bytes the token stands for, when this step is the one that knows; null otherwise.</summary>
    internal virtual byte[]? BytesOf(string token) => null;
}

/// <summary>The file's <c>decoder</c>: from tokens to text.</summary>
sealed class TokenDecoder
{
    readonly List<DecodeStep> _steps = [];

    internal TokenDecoder(JsonField field)
    {
        if (field.IsNull)
        {
            _steps.Add(new JoinStep());
            return;
        }

        var fused = false;
        Steps.Flatten(field, "decoders", item =>
        {
            var step = Read(item, fused);
            fused |= step.Fuses;
            _steps.Add(step);
        });
    }

    internal TokenSink Open(TokenSink output)
    {
        var fuses = _steps.FindIndex(step => step.Fuses);
        for (var i = _steps.Count - 1; i >= 0; i--)
        {
            output = _steps[i].Open(output, fused: fuses >= 0 && i > fuses);
        }

        return output;
    }

    internal byte[] BytesOf(string token)
    {
        foreach (var step in _steps)
        {
            if (step.BytesOf(token) is { } bytes)
            {
                return bytes;
            }

            token = step.PieceOf(token);
        }

        return Encoding.UTF8.GetBytes(token);
    }

    static DecodeStep Read(JsonField field, bool fused) => field["type"].Text() switch
    {
        "ByteLevel" => new ByteLevelStep(),
        "ByteFallback" => new ByteFallbackStep(),
        "Fuse" => new FuseStep(),
        "Replace" when !fused => new ReplaceStep(field),
        "Strip" => new StripStep(field, fused),
        "Metaspace" when !fused => new MetaspaceStep(field),
        "WordPiece" when !fused => new WordPieceStep(field),
        "BPEDecoder" when !fused => new WordEndStep(field),
        "CTC" when !fused => new CtcStep(field),
        var type => throw field["type"].Error($"decoder '{type}' is not supported{(fused ? " after a step that fuses" : "")}"),
    };
}
