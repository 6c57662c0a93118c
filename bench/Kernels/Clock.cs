using System.Diagnostics;

namespace Hearth.Kernels.Bench;

static class Clock
{
    public static double Time(Action action)
    {
        var start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}

/// <summary>Median and range of samples.</summary>
sealed class Samples(string format)
{
    readonly List<double> _values = [];

    public void Add(double value) => _values.Add(value);

    public double Median
    {
        get
        {
            _values.Sort();
            return _values[_values.Count / 2];
        }
    }

    public override string ToString()
    {
        var median = Median.ToString(format);
        return $"{median} [{_values[0].ToString(format)}-{_values[^1].ToString(format)}]";
    }
}
