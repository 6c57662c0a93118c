using System.Threading.Channels;
using Hearth.Contracts;
using Xunit;

namespace Hearth.Engine.Tests;

/// <summary>One reply that moves from engine to engine as a conversation's migration moves it: parts are copied while it goes on,
/// then it is suspended, the rest is copied, and it goes on at the target.</summary>
sealed class Mover(TokenRequest whole)
{
    readonly List<int> _known = [.. whole.Prompt.Span];
    readonly List<float> _logprobs = [];
    int _copied, _held;

    public TokenChunk? Last { get; private set; }
    public int[] Tokens => [.. _known.Skip(whole.Prompt.Length)];
    public float[] Logprobs => [.. _logprobs];
    public int Moves { get; private set; }

    /// <summary>After moves: tokens that the next place did not compute, and those that the last one had computed.</summary>
    public (int Cached, int All) Reused { get; private set; }
    public List<string> Refusals { get; } = [];

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>Runs for so many steps of the engine, then moves what is there to the target; if there is none, to the
    /// end.</summary>
    public async Task RunAsync(TokenEngine place, StepHook hook, TokenEngine? target, int steps)
    {
        using var suspension = new CancellationTokenSource();
        using var due = hook.After(target is null ? int.MaxValue >> 1 : steps, suspension.Cancel);
        if (target is not null && steps == 0)
        {
            await suspension.CancelAsync();
        }

        var request = whole with
        {
            Prompt = _known.ToArray(),
            ReplyTokens = whole.ReplyTokens + Tokens.Length,
            MaxTokens = whole.MaxTokens - Tokens.Length,
            Suspension = suspension.Token,
        };
        _copied = 0;
        Assert.Equal(TurnError.None, place.TrySubmit(request, out var chunks));
        while (await chunks!.WaitToReadAsync(Stop))
        {
            Take(chunks);
            while (target is not null && _known.Count > _copied + place.BlockTokens && await CopyPartAsync(place, target, chunks))
            {
            }
        }

        if (Last!.Value.Kind == TokenChunkKind.Suspended)
        {
            Last = null;
            Moves++;
            _held = place.DescribeCache(whole.Cache).Tokens;
            while (await CopyPartAsync(place, target!, chunks))
            {
            }

            await place.DropAsync(whole.Cache, Stop);
        }
    }

    /// <returns>False when all but a part of a block is copied, or the target refuses.</returns>
    async Task<bool> CopyPartAsync(TokenEngine source, TokenEngine target, ChannelReader<TokenChunk> chunks)
    {
        // Parts of one block, of a few, and of whole chunks.
        var most = (1 << (_copied / source.BlockTokens % 7)) * source.BlockTokens;
        using var part = _copied < 0 ? null : await source.ExportPartAsync(whole.Cache, _copied, most, Stop);
        if (part is null)
        {
            return false;
        }

        Assert.InRange(part.Tokens, 1, most);
        Take(chunks);
        var known = _known.Take(_copied + part.Tokens).ToArray();
        var refusal = await target.ImportAsync(whole.Cache, whole.Scope, known, _copied, part.Blob, Stop);
        if (refusal is not null)
        {
            Refusals.Add(refusal);
            _copied = -1;
            return false;
        }

        _copied += part.Tokens / source.BlockTokens * source.BlockTokens;
        return part.Tokens >= source.BlockTokens;
    }

    void Take(ChannelReader<TokenChunk> chunks)
    {
        while (chunks.TryRead(out var chunk))
        {
            switch (chunk.Kind)
            {
                case TokenChunkKind.Admitted:
                    Reused = (Reused.Cached + Math.Min(_held, chunk.CachedTokens), Reused.All + _held);
                    break;
                case TokenChunkKind.Token:
                    _known.Add(chunk.Token);
                    _logprobs.Add(chunk.Logprob);
                    break;
                default:
                    Last = chunk;
                    break;
            }
        }
    }
}
