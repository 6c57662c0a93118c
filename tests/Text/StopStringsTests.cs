using System.Text;
using Xunit;

namespace Hearth.Text.Tests;

public sealed class StopStringsTests
{
    [Fact]
    public void TextBeforeTheStopStringIsShownAndNothingAfterIt()
    {
        var stops = new StopStrings(["\n\nUser:", "END"]);
        Assert.Equal("Hello", stops.Push("Hello\n"));
        Assert.Equal(1, stops.Pending);
        Assert.Equal("", stops.Push("\nUser"));
        Assert.Equal("", stops.Push(": more"));
        Assert.Equal("\n\nUser:", stops.MatchedStop);
        Assert.Equal("", stops.Push("END"));
        Assert.Equal("", stops.Flush());
    }

    [Fact]
    public void WhatOnlyBeganLikeAStopStringComesOutAtTheEnd()
    {
        var stops = new StopStrings(["END"]);
        Assert.Equal("the ", stops.Push("the EN"));
        Assert.Equal("EN", stops.Flush());
        Assert.False(stops.Matched);
    }

    [Fact]
    public void TheOutcomeDoesNotDependOnHowTheTextIsCut()
    {
        var random = new Random(5);
        for (var round = 0; round < 2000; round++)
        {
            string[] stops = [.. Enumerable.Range(0, 1 + random.Next(3)).Select(_ => Letters(random, 1 + random.Next(4)))];
            var text = Letters(random, random.Next(20));
            var (expected, matched) = Reference(text, stops);

            var stream = new StopStrings(stops);
            var shown = new StringBuilder();
            for (var at = 0; at < text.Length;)
            {
                var end = Math.Min(text.Length, at + 1 + random.Next(4));
                shown.Append(stream.Push(text[at..end]));
                Assert.True(stream.Pending < stops.Max(stop => stop.Length));
                at = end;
            }

            shown.Append(stream.Flush());
            Assert.Equal((expected, matched), (shown.ToString(), stream.MatchedStop));
        }
    }

    [Fact]
    public void UnusableStopStringsAreRefused()
    {
        Assert.Throws<ArgumentException>(() => new StopStrings([""]));
        Assert.Throws<ArgumentException>(() => new StopStrings([new string('x', 100_000)]));
        Assert.Throws<ArgumentException>(() => new StopStrings([.. Enumerable.Range(0, 1000).Select(i => $"{i}")]));
    }

    /// <summary>The first stop string to be complete ends the text; of several at one place the longest.</summary>
    static (string Text, string? Stop) Reference(string text, string[] stops)
    {
        for (var end = 1; end <= text.Length; end++)
        {
            var stop = stops.Where(text[..end].EndsWith).MaxBy(stop => stop.Length);
            if (stop is not null)
            {
                return (text[..(end - stop.Length)], stop);
            }
        }

        return (text, null);
    }

    static string Letters(Random random, int count)
        => string.Concat(Enumerable.Range(0, count).Select(_ => "ab"[random.Next(2)]));
}
