using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hearth.Kernels;

namespace Hearth.Cuda;

/// <summary>Brings memory that may be moved or mapped to the card: while one staging buffer is on its way the next is
/// filled.</summary>
sealed class Uploader : IDisposable
{
    /// <summary>Most bytes that go at once.</summary>
    public const int PartBytes = Limits.UploadBytes;

    readonly CudaStream _stream;
    readonly PinnedMemory[] _buffers;
    readonly CudaEvent[] _sent;
    int _next;

    public Uploader(CudaContext context)
    {
        _stream = new CudaStream(context);
        _buffers = [.. Enumerable.Range(0, Limits.UploadBuffers).Select(_ => new PinnedMemory(context, Limits.UploadBytes))];
        _sent = [.. _buffers.Select(_ => new CudaEvent(context))];
    }

    /// <summary>Whether both are the same bytes, not only equal ones.</summary>
    public static bool AreSame(TensorMemory a, TensorMemory b) => a.Length == b.Length && Unsafe.AreSame(
        ref MemoryMarshal.GetReference(a.Slice(0, 0).Bytes), ref MemoryMarshal.GetReference(b.Slice(0, 0).Bytes));

    /// <summary>Returns when the last part is on its way; <see cref="Finish"/> waits for all.</summary>
    public void Send(TensorMemory source, ulong target)
    {
        for (var at = 0L; at < source.Length; at += Limits.UploadBytes)
        {
            var part = source.Slice(at, Math.Min(Limits.UploadBytes, source.Length - at)).Bytes;
            Send(part, target + (ulong)at);
        }
    }

    /// <param name="part">Up to <see cref="Limits.UploadBytes"/>.</param>
    public void Send(ReadOnlySpan<byte> part, ulong target)
    {
        _stream.Context.MakeCurrent();
        var i = _next++ % _buffers.Length;
        // An event that was never recorded has happened.
        _sent[i].Synchronize();
        part.CopyTo(_buffers[i].Span<byte>(0, part.Length));
        _stream.Upload(target, _buffers[i], 0, part.Length);
        _sent[i].Record(_stream);
    }

    public void Finish()
    {
        _stream.Context.MakeCurrent();
        _stream.Synchronize();
    }

    public void Dispose()
    {
        _stream.Dispose();
        foreach (var happening in _sent)
            happening.Dispose();
        foreach (var buffer in _buffers)
            buffer.Dispose();
    }
}
