using System.Text.Json;
using Xunit;

namespace Hearth.Text.Tests.Tokenizers;

/// <summary>Collects what differs from the reference, to fail once with the first few.</summary>
sealed class Mismatches
{
    const int ShownMax = 5;
    readonly List<string> _shown = [];
    int _compared;
    int _differing;

    internal void Compare(string what, string expected, string actual)
    {
        _compared++;
        if (expected == actual)
        {
            return;
        }

        if (++_differing <= ShownMax)
        {
            _shown.Add($"{what}\n  expected {JsonSerializer.Serialize(expected)}\n  actual   {JsonSerializer.Serialize(actual)}");
        }
    }

    internal void Compare(string what, IEnumerable<int> expected, IEnumerable<int> actual)
        => Compare(what, string.Join(' ', expected), string.Join(' ', actual));

    internal void AssertNone(int comparedMin)
    {
        Assert.True(_differing == 0, $"{_differing} of {_compared} differ:\n{string.Join('\n', _shown)}");
        Assert.True(_compared >= comparedMin, $"only {_compared} comparisons were made; expected at least {comparedMin}");
    }
}
