using System.Collections.Concurrent;
using Hearth.Contracts;
using Hearth.Text;
using Hearth.Text.Templates;

namespace Hearth.Grains;

/// <summary>A model as turns need it: its engine, and the text side of its checkpoint.</summary>
/// <param name="Template">Null for a model that has no chat template: it completes text only.</param>
/// <param name="KnowsDeveloper">Whether the template has a case for the developer role; else it is a system message.</param>
public sealed record ServedModel(ITokenEngine Engine, Tokenizer Tokenizer, ChatTemplateFile? Template, bool KnowsDeveloper)
{
    static readonly string[] TemplateSources = ["chat_template.jinja", "tokenizer_config.json"];

    public ModelCard Card => Engine.Model;

    internal EngineDoor Door { get; } = new(Engine);

    /// <summary>Reads tokenizer and chat template from the checkpoint's directory.</summary>
    /// <exception cref="TokenizerException">A file is missing or not sound, or gives no tokens.</exception>
    /// <exception cref="TemplateException">The template is not sound, or fails on a greeting.</exception>
    public static ServedModel Load(ITokenEngine engine) => Load(engine, ReadText(engine.Model.Directory));

    /// <param name="text">What <see cref="ReadText(string)"/> gave for the model's directory.</param>
    public static ServedModel Load(ITokenEngine engine, (Tokenizer Tokenizer, ChatTemplateFile? Template) text) =>
        new(engine, text.Tokenizer, text.Template, Mentions(engine.Model.Directory, "developer"));

    /// <summary>The same for a model in one GGUF file.</summary>
    public static ServedModel Load(
        ITokenEngine engine, (Tokenizer Tokenizer, ChatTemplateFile? Template) text, GgufVocabulary vocabulary) =>
        new(engine, text.Tokenizer, text.Template,
            vocabulary.ChatTemplate?.Contains("developer", StringComparison.Ordinal) == true);

    /// <summary>Reads the text side alone. What could never answer is refused now, not at the first turn.</summary>
    public static (Tokenizer Tokenizer, ChatTemplateFile? Template) ReadText(string directory)
    {
        var text = (Tokenizer.Load(directory), ChatTemplateFile.Load(directory));
        return Checked(text, Path.Combine(directory, "tokenizer.json"),
            TemplateSources.Select(name => Path.Combine(directory, name)).FirstOrDefault(File.Exists) ?? directory);
    }

    /// <summary>The same for a GGUF file.</summary>
    public static (Tokenizer Tokenizer, ChatTemplateFile? Template) ReadText(GgufVocabulary vocabulary) =>
        Checked((Tokenizer.Load(vocabulary), ChatTemplateFile.Load(vocabulary)), vocabulary.File, vocabulary.File);

    static (Tokenizer Tokenizer, ChatTemplateFile? Template) Checked(
        (Tokenizer Tokenizer, ChatTemplateFile? Template) text, string tokenizerFile, string templateFile)
    {
        const string Greeting = "Hello!";
        if (text.Tokenizer.EncodePlain(Greeting, addSpecialTokens: false).Length == 0)
            throw new TokenizerException(tokenizerFile, "model.vocab", "makes no tokens of text");
        if (text.Template is not null && Greet(text.Template, Greeting) is [])
            throw new TokenizerException(templateFile, "chat_template", $"makes nothing of the user message '{Greeting}'");
        return text;
    }

    static IReadOnlyList<TextSegment>? Greet(ChatTemplateFile file, string text)
    {
        var context = new TemplateContext
        {
            Messages = [new TemplateMessage("user", text)],
            AddGenerationPrompt = true,
            BosToken = file.BosToken,
            EosToken = file.EosToken,
            PadToken = file.PadToken,
            UnkToken = file.UnkToken,
            Now = DateTimeOffset.UnixEpoch,
        };
        try
        {
            return file.Default.Render(context, CancellationToken.None);
        }
        catch (TemplateException refused) when (refused.Kind == TemplateErrorKind.Raised)
        {
            return null; // It wants other messages, such as a system message first.
        }
    }

    static bool Mentions(string directory, string role) =>
        TemplateSources.Select(name => Path.Combine(directory, name)).FirstOrDefault(File.Exists) is { } source
        && File.ReadAllText(source).Contains(role, StringComparison.Ordinal);
}

/// <summary>The silo's models: those that serve and those that are being loaded. Thread-safe.</summary>
public sealed class ModelCatalog
{
    readonly ConcurrentDictionary<string, ServedModel> _served = new(StringComparer.Ordinal);
    readonly ConcurrentDictionary<string, (string What, double Progress)> _loading = new(StringComparer.Ordinal);

    public IReadOnlyList<ServedModel> Served => [.. _served.Values];

    /// <summary>Announces a model that is not ready yet.</summary>
    /// <param name="what">What is going on, for people.</param>
    /// <param name="progress">0 to 1.</param>
    public void ReportLoading(string model, string what, double progress) => _loading[model] = (what, progress);

    public void Serve(ServedModel model)
    {
        _served[model.Card.Name] = model;
        _loading.TryRemove(model.Card.Name, out _);
    }

    /// <summary>Takes a model out of service: turns that run finish, new ones are refused.</summary>
    public void Remove(string model)
    {
        _served.TryRemove(model, out _);
        _loading.TryRemove(model, out _);
    }

    internal ServedModel? Find(string model) => _served.GetValueOrDefault(model);

    internal ServedModel Require(string model)
    {
        if (_served.TryGetValue(model, out var served))
            return served;
        throw new TurnFailedException(_loading.TryGetValue(model, out var loading)
            ? new TurnFailure(
                TurnError.ModelLoading, $"The model {model} is being loaded: {loading.What}.", "model", Limits.RetryAfter)
            : new TurnFailure(TurnError.ModelNotFound, $"There is no model {model} here.", "model"));
    }

    internal ClusterStatus Status(bool stopping)
    {
        var load = _served.Values.Select(m => m.Engine.Load).Aggregate(new EngineLoad(), Add);
        if (stopping)
            return new ClusterStatus(false, true, "stopping", 1, load);
        if (!_loading.IsEmpty && _loading.OrderBy(l => l.Value.Progress).First() is var (name, (what, progress)))
            return new ClusterStatus(!_served.IsEmpty, !_served.IsEmpty, $"{name}: {what}", progress, load);
        return _served.IsEmpty
            ? new ClusterStatus(false, false, "no model", 0, load)
            : new ClusterStatus(true, true, "serving", 1, load);
    }

    static EngineLoad Add(EngineLoad a, EngineLoad b) => new()
    {
        Running = a.Running + b.Running,
        Waiting = a.Waiting + b.Waiting,
        BlocksTotal = a.BlocksTotal + b.BlocksTotal,
        BlocksUsed = a.BlocksUsed + b.BlocksUsed,
        BlockTokens = b.BlockTokens,
        HostBytesUsed = a.HostBytesUsed + b.HostBytesUsed,
        HostBytesTotal = a.HostBytesTotal + b.HostBytesTotal,
        CachesOnDevice = a.CachesOnDevice + b.CachesOnDevice,
        CachesInHost = a.CachesInHost + b.CachesInHost,
        PromptTokens = a.PromptTokens + b.PromptTokens,
        CachedTokens = a.CachedTokens + b.CachedTokens,
        GeneratedTokens = a.GeneratedTokens + b.GeneratedTokens,
        Preemptions = a.Preemptions + b.Preemptions,
    };
}
