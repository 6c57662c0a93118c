using Hearth.Cuda;

namespace Hearth.Engine.Devices;

/// <summary>Logits of up to <see cref="Limits.CudaLogitRows"/> rows on the card, and their copy for the sampler.</summary>
sealed class CudaLogits(CudaCard card, CudaStream stream, int vocabulary) : IDisposable
{
    readonly DeviceMemory _card = new(card.Context, (long)Limits.CudaLogitRows * vocabulary * sizeof(float));
    readonly PinnedMemory _host = new(card.Context, (long)Limits.CudaLogitRows * vocabulary * sizeof(float));

    /// <summary>f32 [rows, vocabulary]</summary>
    public ulong Card => _card.Address;

    public void Download(int rows) => stream.Download(_host, 0, _card.Address, (long)rows * vocabulary * sizeof(float));

    /// <summary>Once the download is done.</summary>
    public Span<float> Rows(int rows) => _host.Span<float>(0, rows * vocabulary);

    public void Dispose()
    {
        _card.Dispose();
        _host.Dispose();
    }
}
