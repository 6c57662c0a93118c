using Hearth.Cuda;

namespace Hearth.Engine.Devices;

/// <summary>Logits, or the best ids, of up to <see cref="Limits.CudaLogitRows"/> rows on the card, and their copy for the
/// sampler.</summary>
sealed class CudaLogits(CudaCard card, CudaStream stream, int vocabulary) : IDisposable
{
    readonly DeviceMemory _card = new(card.Context, (long)Limits.CudaLogitRows * vocabulary * sizeof(float));
    readonly DeviceMemory _ids = new(card.Context, Limits.CudaLogitRows * sizeof(int));
    readonly PinnedMemory _host = new(card.Context, (long)Limits.CudaLogitRows * vocabulary * sizeof(float));

    /// <summary>f32 [rows, vocabulary]</summary>
    public ulong Card => _card.Address;

    public void Download(int rows) => stream.Download(_host, 0, _card.Address, (long)rows * vocabulary * sizeof(float));

    /// <summary>Once the download is done.</summary>
    public Span<float> Rows(int rows) => _host.Span<float>(0, rows * vocabulary);

    /// <summary>Address of i32 [rows].</summary>
    public ulong Ids => _ids.Address;

    public void DownloadIds(int rows) => stream.Download(_host, 0, _ids.Address, rows * sizeof(int));

    public Span<int> BestOf(int rows) => _host.Span<int>(0, rows);

    public void Dispose()
    {
        _ids.Dispose();
        _card.Dispose();
        _host.Dispose();
    }
}
