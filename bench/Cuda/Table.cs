using System.Globalization;

namespace Hearth.Cuda.Bench;

/// <summary>Lines of what was found, as they come.</summary>
sealed class Table(TextWriter output)
{
    public int Failures { get; private set; }

    public void Section(string title) => output.WriteLine($"\n{title}");

    public void Note(string name, string text) => output.WriteLine($"  {name,-44} {text}");

    /// <summary>A figure and the limit that it is a share of.</summary>
    public void Figure(string name, double value, string unit, double limit = 0, string? limitName = null)
    {
        var share = limit > 0 ? string.Create(CultureInfo.InvariantCulture, $"{value / limit,8:P1} of {limitName}") : "";
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {name,-44} {value,10:0.0} {unit,-9}{share}"));
    }

    public void Check(string name, bool holds, string text)
    {
        Failures += holds ? 0 : 1;
        output.WriteLine($"  {name,-44} {(holds ? "ok  " : "FAIL")} {text}");
    }
}
