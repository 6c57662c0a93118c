using Hearth.Engine.Devices;

namespace Hearth.Engine.Models;

/// <summary>The cosines and sines of a step: [rows, columns], the ropes of a model side by side.</summary>
sealed class RopeAngles
{
    readonly RopeFrequencies[] _ropes;
    readonly int[] _columns;
    readonly float[] _cosines, _sines;
    readonly IReadOnlyList<RopeSpec> _specs;
    readonly int _width;
    int _rows;

    public RopeAngles(IReadOnlyList<RopeSpec> specs, int rowsMax)
    {
        _specs = specs;
        _ropes = [.. specs.Select(s => new RopeFrequencies(s))];
        _columns = [.. specs.Select((_, i) => specs.Take(i).Sum(s => s.Dim / 2))];
        _width = specs.Sum(s => s.Dim / 2);
        (_cosines, _sines) = (new float[rowsMax * _width], new float[rowsMax * _width]);
    }

    public ReadOnlySpan<float> Cosines => _cosines.AsSpan(0, _rows * _width);
    public ReadOnlySpan<float> Sines => _sines.AsSpan(0, _rows * _width);

    public Rotation Rotation(int rope, int headDim) =>
        new(headDim, _specs[rope].First, _specs[rope].Dim, _specs[rope].Style, _columns[rope]);

    public void Fill(Batch batch)
    {
        _rows = batch.Rows;
        foreach (ref readonly var sequence in batch.Sequences)
        {
            for (var row = 0; row < sequence.Rows; row++)
            {
                for (var rope = 0; rope < _ropes.Length; rope++)
                {
                    var (at, half) = ((sequence.FirstRow + row) * _width + _columns[rope], _specs[rope].Dim / 2);
                    _ropes[rope].Fill(sequence.Start + row, sequence.Length, _cosines.AsSpan(at, half), _sines.AsSpan(at, half));
                }
            }
        }
    }
}
