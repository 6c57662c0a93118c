using System.Runtime.InteropServices;
using Hearth.Cuda;
using Hearth.Engine.Models;
using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <param name="Bias">Address of f32 [rows], or 0.</param>
readonly record struct CudaLinear(ulong Weights, DType Type, ulong Bias, int Rows, int Columns);

/// <param name="Bias">Address of f32, or 0.</param>
readonly record struct CudaNorm(NormKind Kind, float Epsilon, ulong Weight, ulong Bias, int Groups);

/// <summary>Weights on a card, in their stored type. They are sent while the next ones are found; <see cref="Finish"/> waits for
/// the last.</summary>
sealed class CudaWeights(CudaCard card) : IDisposable
{
    readonly DeviceArena _arena = new(card.Context);
    readonly Uploader _uploader = new(card.Context);
    readonly List<(MatrixView View, ulong Address)> _matrices = [];

    public long Bytes => _arena.Bytes;

    /// <exception cref="CudaException">The type has no kernels.</exception>
    public CudaLinear Load(MatrixView view, float[] bias)
    {
        if (view.Type is not (DType.F32 or DType.F16 or DType.BF16))
        {
            throw new CudaException($"This model's weights are stored as {view.Type}, which cards do not compute with yet: " +
                "use a checkpoint in BF16, F16 or F32, or --device cpu.");
        }
        return new(Matrix(view), view.Type, Vector(bias), view.Rows, view.Columns);
    }

    /// <returns>The address of f32 numbers on the card; 0 for none.</returns>
    public ulong Vector(float[] numbers) => Numbers<float>(numbers);

    /// <returns>Their address on the card; 0 for none.</returns>
    public ulong Numbers<T>(ReadOnlySpan<T> numbers) where T : unmanaged
    {
        if (numbers.Length == 0)
            return 0;
        var bytes = MemoryMarshal.AsBytes(numbers);
        var address = _arena.Take(bytes.Length);
        for (var at = 0; at < bytes.Length; at += Uploader.PartBytes)
            _uploader.Send(bytes[at..Math.Min(bytes.Length, at + Uploader.PartBytes)], address + (ulong)at);
        return address;
    }

    public void Finish() => _uploader.Finish();

    public void Dispose()
    {
        _uploader.Dispose();
        _arena.Dispose();
    }

    /// <summary>Tied weights are loaded once.</summary>
    ulong Matrix(MatrixView view)
    {
        foreach (var (known, at) in _matrices)
        {
            if (Uploader.AreSame(known.Memory, view.Memory))
                return at;
        }
        var address = _arena.Take(view.Memory.Length);
        _uploader.Send(view.Memory, address);
        _matrices.Add((view, address));
        return address;
    }
}
