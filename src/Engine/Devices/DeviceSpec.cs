using System.Globalization;
using Hearth.Cuda;

namespace Hearth.Engine.Devices;

/// <summary>What computes: the processor, or cards, over which a model's layers are laid out in this order.</summary>
public sealed record DeviceSpec
{
    const int OrdinalMax = 63;

    DeviceSpec(IReadOnlyList<int> cards) => Cards = cards;

    public static DeviceSpec Cpu { get; } = new([]);

    /// <summary>Ordinals of the cards, as the process sees them; empty for the processor.</summary>
    public IReadOnlyList<int> Cards { get; }

    public bool IsCuda => Cards.Count > 0;

    /// <param name="text">cpu, cuda (the first card), cuda:N, or several cards separated by commas.</param>
    /// <returns>Null if it names no device.</returns>
    public static DeviceSpec? Parse(string text)
    {
        if (text == "cpu")
            return Cpu;
        var cards = new List<int>();
        foreach (var name in text.Split(','))
        {
            var number = name == "cuda" ? "0" : name.StartsWith("cuda:", StringComparison.Ordinal) ? name[5..] : "";
            if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var ordinal) || ordinal > OrdinalMax)
                return null;
            cards.Add(ordinal);
        }
        return cards.Distinct().Count() == cards.Count ? new DeviceSpec(cards) : null;
    }

    /// <summary>Looks whether it can be used, without taking memory of it.</summary>
    /// <exception cref="DeviceException">A card or its driver is missing or too old.</exception>
    public void Require() => Guard(() => Cards.Select(CudaSystem.Describe).ToArray());

    /// <summary>What a card refuses, said with the device's name.</summary>
    internal T Guard<T>(Func<T> use)
    {
        try
        {
            return use();
        }
        catch (CudaException error)
        {
            throw new DeviceException($"--device {this}: {error.Message}", error);
        }
    }

    public override string ToString() => IsCuda ? string.Join(',', Cards.Select(card => $"cuda:{card}")) : "cpu";
}
