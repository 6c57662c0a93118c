using System.Text.Json;

namespace Hearth.Text.Tokenizers;

/// <summary>The file's <c>truncation</c> and <c>padding</c>: how long an input may be and how long it is made.</summary>
sealed class InputShape
{
    readonly JsonField _truncation;
    readonly int? _lengthMax;
    readonly string _strategy;
    readonly bool _cutsLeft;

    readonly bool _pads;
    readonly int? _fixedLength;
    readonly int _multipleOf;
    readonly bool _padsLeft;
    readonly int _padId;
    readonly int _padTypeId;

    internal InputShape(JsonField truncation, JsonField padding)
    {
        _truncation = truncation;
        _strategy = "LongestFirst";
        if (!truncation.IsNull)
        {
            _lengthMax = truncation["max_length"].Number(int.MaxValue);
            _strategy = truncation["strategy"].TextOr("LongestFirst");
            _cutsLeft = IsLeft(truncation["direction"]);
            if (_strategy is not ("LongestFirst" or "OnlyFirst" or "OnlySecond"))
            {
                throw truncation["strategy"].Error($"'{_strategy}' is none of LongestFirst, OnlyFirst, OnlySecond");
            }
        }

        _pads = !padding.IsNull;
        if (_pads)
        {
            var strategy = padding["strategy"];
            _fixedLength = strategy.Kind == JsonValueKind.Object ? strategy["Fixed"].Number(Limits.Tokenizer.PaddedLengthMax)
                : strategy.TextOr("BatchLongest") == "BatchLongest" ? null
                : throw strategy.Error("must be BatchLongest or {\"Fixed\": length}");
            _multipleOf = padding["pad_to_multiple_of"].NumberOr(0, Limits.Tokenizer.PaddedLengthMax);
            _padsLeft = IsLeft(padding["direction"]);
            _padId = padding["pad_id"].NumberOr(0, Limits.Tokenizer.TokensMax - 1);
            _padTypeId = padding["pad_type_id"].NumberOr(0, Limits.Tokenizer.TokensMax - 1);
        }
    }

    /// <summary>Shortens the texts' ids so that with the tokens added to them they keep within the limit.</summary>
    /// <param name="second">The second text's ids, or null where there is one text.</param>
    internal void Truncate(List<int> first, List<int>? second, int addedTokens)
    {
        var total = first.Count + (second?.Count ?? 0);
        var limit = Math.Max(0, (_lengthMax ?? int.MaxValue) - addedTokens);
        if (total <= limit)
        {
            return;
        }

        if (limit == 0 || (_strategy == "LongestFirst" && second is null))
        {
            Cut(first, limit);
            Cut(second, limit);
        }
        else if (_strategy == "LongestFirst")
        {
            var shorter = Math.Min(first.Count, second!.Count);
            var longer = shorter > limit ? shorter : Math.Max(shorter, limit - shorter);
            if (shorter + longer > limit)
            {
                shorter = limit / 2;
                longer = shorter + limit % 2;
            }

            var firstIsShorter = first.Count <= second.Count;
            Cut(first, firstIsShorter ? shorter : longer);
            Cut(second, firstIsShorter ? longer : shorter);
        }
        else
        {
            var target = _strategy == "OnlyFirst" ? first : second;
            if (target is null || target.Count <= total - limit)
            {
                throw _truncation.Error($"wants {_strategy} cut, which cannot make this input as short as {limit} tokens");
            }

            Cut(target, target.Count - (total - limit));
        }
    }

    /// <summary>Makes the inputs of a batch equally long, if the file says so.</summary>
    internal List<ModelInput> Pad(List<ModelInput> batch)
    {
        if (!_pads || batch.Count == 0)
        {
            return batch;
        }

        var length = _fixedLength ?? batch.Max(input => input.Ids.Count);
        length += _multipleOf > 0 && length % _multipleOf > 0 ? _multipleOf - length % _multipleOf : 0;
        return [.. batch.Select(input => Padded(input, length - input.Ids.Count))];
    }

    ModelInput Padded(ModelInput input, int count)
    {
        return count <= 0 ? input : new(
            With(input.Ids, _padId), With(input.TypeIds, _padTypeId), With(input.IsSpecial, true), With(input.Attention, false));

        IReadOnlyList<T> With<T>(IReadOnlyList<T> list, T padding)
        {
            var pads = Enumerable.Repeat(padding, count);
            return _padsLeft ? [.. pads, .. list] : [.. list, .. pads];
        }
    }

    void Cut(List<int>? ids, int length)
    {
        if (ids is not null && ids.Count > length)
        {
            ids.RemoveRange(_cutsLeft ? 0 : length, ids.Count - length);
        }
    }

    static bool IsLeft(JsonField direction) => direction.TextOr("Right") switch
    {
        "Left" => true,
        "Right" => false,
        var other => throw direction.Error($"'{other}' is neither Left nor Right"),
    };
}
