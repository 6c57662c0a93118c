using System.Text;
using Hearth.Silo;

namespace Hearth.Cli.Doctor;

/// <summary>Whether the checkpoint is whole, and it and its caches fit into the machine.</summary>
sealed class ModelChecks(Findings findings, Machine machine)
{
    // The runtime, tokenizer, buffers of a step.
    const long OwnBytes = 400L << 20;
    const double MemoryHigh = 0.85;

    /// <param name="checksums">Reads all files and compares them with <see cref="ModelFiles.SumsName"/>.</param>
    public async Task ExamineAsync(ModelSettings settings, bool checksums, CancellationToken cancellationToken)
    {
        try
        {
            var model = ModelReport.Read(settings.Directory, headersOnly: true);
            findings.Ok("model", $"{settings.Directory}: {model.Card.Family}, {model.Card.Parameters / 1e6:0.#}M parameters, " +
                $"context {model.Card.ContextLength}, {ByteSize.Format(model.WeightBytes)} of weights");
            if (!model.HasTemplate)
            {
                findings.Warn("model.template",
                    "there is no chat template: /v1/chat/completions is refused, /v1/completions works",
                    "put chat_template.jinja, or a tokenizer_config.json with chat_template, into the folder");
            }
            Sizes(settings, model);
        }
        catch (SiloException e)
        {
            findings.Fail("model", e.Message, Pointers(settings.Directory) is { } pointer
                ? $"{pointer} is a Git LFS pointer: git lfs pull"
                : "copy the checkpoint again; hearth model inspect DIR says more");
        }
        if (checksums)
            await ChecksumsAsync(settings.Directory, cancellationToken);
    }

    void Sizes(ModelSettings settings, ModelReport model)
    {
        var cache = model.Caches.FirstOrDefault(c => c.Type == settings.KvType);
        if (cache is null)
        {
            findings.Fail("kv.type", $"--kv-type: '{settings.KvType}' is none", "use f32, f16 or bf16");
            return;
        }
        if (settings.ContextLength > model.Card.ContextLength)
        {
            findings.Fail("kv.context", $"--context {settings.ContextLength} is more than the model's {model.Card.ContextLength}",
                "leave --context out, or lower it");
        }
        var context = settings.ContextLength ?? model.Card.ContextLength;
        var tokens = cache.TokensIn(settings.KvMemoryBytes);
        if (settings.KvMemoryBytes == 0)
        {
            findings.Ok("kv.memory", "what the weights leave of the card");
        }
        else if (tokens < context)
        {
            var needed = cache.BlockBytes * ((context + cache.BlockTokens - 1) / cache.BlockTokens);
            findings.Warn("kv.memory",
                $"--kv-memory {ByteSize.Format(settings.KvMemoryBytes)} holds {tokens} tokens: " +
                $"no conversation can fill the context of {context}",
                $"--kv-memory {(needed >> 20) + 1}m or more, or a shorter --context");
        }
        else
        {
            findings.Ok("kv.memory",
                $"{ByteSize.Format(settings.KvMemoryBytes)} hold {tokens} tokens: {tokens / context} full contexts");
        }
        Memory(Rounded(model, settings.Quantize), settings);
    }

    /// <summary>Bytes of the weights when they are rounded on load, to a few hundredths.</summary>
    static long Rounded(ModelReport model, string? quantize) => quantize switch
    {
        "q8" => Math.Min(model.WeightBytes, model.Card.Parameters * 34 / 32),
        "q4" => Math.Min(model.WeightBytes, model.Card.Parameters * 18 / 32),
        _ => model.WeightBytes,
    };

    void Memory(long weights, ModelSettings settings)
    {
        const string Name = "memory";
        // Those of a card lie there; the file's pages that were read may be dropped.
        var (own, caches) = settings.IsCuda ? (0, 0) : (weights, settings.KvMemoryBytes);
        var needed = own + caches + settings.HostMemoryBytes + OwnBytes;
        var (limit, source) = machine.Memory();
        var says = $"{ByteSize.Format(needed)} needed (weights {ByteSize.Format(own)}, --kv-memory " +
            $"{ByteSize.Format(caches)}, --host-memory {ByteSize.Format(settings.HostMemoryBytes)}), " +
            $"{source} gives {ByteSize.Format(limit)}";
        const string Remedy = "lower --kv-memory or --host-memory, or give the process more";
        if (needed > limit)
            findings.Fail(Name, says + ": it would be killed", Remedy);
        else if (needed > MemoryHigh * limit)
            findings.Warn(Name, says, Remedy);
        else
            findings.Ok(Name, says);
    }

    async Task ChecksumsAsync(string directory, CancellationToken cancellationToken)
    {
        const string Name = "model.checksums";
        var list = Path.Combine(directory, ModelFiles.SumsName);
        if (!File.Exists(list))
        {
            findings.Warn(Name, $"there is no {ModelFiles.SumsName} in {directory}: nothing to compare with",
                $"where the files are known to be right: cd {directory} && sha256sum * > {ModelFiles.SumsName}");
            return;
        }
        try
        {
            var files = ModelFiles.Read(list);
            var bytes = await files.VerifyAsync(directory, cancellationToken);
            findings.Ok(Name, $"{files.Count} files are as {ModelFiles.SumsName} says, {ByteSize.Format(bytes)}");
        }
        catch (CliException e)
        {
            findings.Fail(Name, e.Message, "copy it again: hearth model verify DIR --copy-to does, and checks what it copies");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            findings.Fail(Name, e.Message, "let this user read the folder");
        }
    }

    static string? Pointers(string directory) => !Directory.Exists(directory) ? null
        : Directory.EnumerateFiles(directory, "*.safetensors").Order(StringComparer.Ordinal).FirstOrDefault(IsPointer);

    static bool IsPointer(string path)
    {
        Span<byte> start = stackalloc byte[24];
        using var file = File.OpenRead(path);
        return Encoding.ASCII.GetString(start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)])
            .StartsWith("version https://git-lfs", StringComparison.Ordinal);
    }
}
