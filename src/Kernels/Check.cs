using System.Diagnostics.CodeAnalysis;

namespace Hearth.Kernels;

/// <summary>Argument checks at the public border; kernels behind it trust what they get.</summary>
static class Check
{
    public static void Length(long actual, long expected, string name)
    {
        if (actual != expected)
        {
            Throw(actual, expected, name);
        }
    }

    /// <summary>How many rows of <paramref name="columns"/> a span holds; it must hold whole rows.</summary>
    public static int Rows(int length, int columns, string name)
    {
        if (columns <= 0 || length % columns != 0)
        {
            throw new ArgumentException($"{name} has {length} elements, not whole rows of {columns}", name);
        }
        return length / columns;
    }

    [DoesNotReturn]
    static void Throw(long actual, long expected, string name) =>
        throw new ArgumentException($"{name} has {actual} elements, expected {expected}", name);
}
