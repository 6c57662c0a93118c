using Hearth.Contracts;
using Hearth.Grains.Prompts;
using Hearth.Grains.Transcripts;
using Hearth.Text;

namespace Hearth.Grains;

/// <summary>What a turn makes of its conversation: the history that stays, the rendered text, and its exact tokens.</summary>
sealed record TurnPrompt(HistoryPlan Plan, IReadOnlyList<TextSegment> Segments, int[] Tokens)
{
    /// <exception cref="TurnFailedException">The turn does not fit the conversation.</exception>
    /// <exception cref="Text.Templates.TemplateException">The template refused the messages, or failed.</exception>
    public static TurnPrompt Of(ConversationGrain grain, ChatTurn turn, ServedModel model, CancellationToken cancellationToken)
    {
        var plan = HistoryPlan.For(turn, grain.Entries.ConvertAll(e => e.Item));
        var kept = grain.Entries[..plan.Keep];
        var segments = PromptRenderer.Render(model, [.. kept.Select(e => e.Item), .. plan.Added],
            turn.TemplateArguments, turn.Created, cancellationToken);
        var held = grain.State.Fingerprint == model.Card.Fingerprint ? grain.Tokens : [];
        return new TurnPrompt(plan, segments,
            ExactPrompt.Build(model.Tokenizer, segments, held, [.. kept.SelectMany(e => e.Anchors)]));
    }
}
