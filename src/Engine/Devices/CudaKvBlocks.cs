using Hearth.Cuda;
using Hearth.Engine.Memory;
using Hearth.Kernels;

namespace Hearth.Engine.Devices;

/// <summary>The blocks of a card's pool. Copies run on a stream of their own, beside the steps: a kernel gathers a block, which
/// then crosses the link in pieces, so that one piece is on its way while another is copied out of pinned memory. Exported bytes
/// are those that the processor's pool would give.</summary>
sealed class CudaKvBlocks : IKvBlocks, IDisposable
{
    /// <summary>The block's number lies before the compact form.</summary>
    const int NumberBytes = 256;

    readonly Lock _gate = new();
    readonly CudaKvPool _pool;
    readonly CudaStream _stream;
    readonly CudaOperations _operations;
    readonly PinnedMemory _host;
    readonly DeviceMemory _card;
    readonly CudaEvent[] _arrived;
    readonly int _pieceBytes;

    public CudaKvBlocks(CudaKvPool pool, int pieceBytes = Limits.CudaPieceBytes)
    {
        (_pool, _pieceBytes) = (pool, pieceBytes);
        var bytes = NumberBytes + pool.Layout.ExportBytes(KvLayout.BlockTokens);
        _stream = new CudaStream(pool.Card.Context);
        _operations = pool.Card.Operations(_stream);
        (_host, _card) = (new PinnedMemory(pool.Card.Context, bytes), new DeviceMemory(pool.Card.Context, bytes));
        var pieces = (int)((bytes + _pieceBytes - 1) / _pieceBytes);
        _arrived = [.. Enumerable.Range(0, pieces).Select(_ => new CudaEvent(pool.Card.Context))];
        TokenBytes = checked((int)pool.Layout.ExportBytes(1));
        Int8TokenBytes = checked((int)KvInt8.Bytes(pool.Layout, 1));
    }

    public int Count => _pool.Blocks;
    public int BlockTokens => KvLayout.BlockTokens;
    public int TokenBytes { get; }
    public int Int8TokenBytes { get; }

    public void Quantize(int tokens, ReadOnlySpan<byte> exact, Span<byte> int8) =>
        KvInt8.Quantize(_pool.Layout, tokens, exact, int8);

    public void Dequantize(int tokens, ReadOnlySpan<byte> int8, Span<byte> exact) =>
        KvInt8.Dequantize(_pool.Layout, tokens, int8, exact);

    public void CopyPrefix(int from, int to, int tokens)
    {
        lock (_gate)
        {
            Begin();
            _stream.Copy(AddressOf(to), AddressOf(from), _pool.Layout.BlockBytes);
            _stream.Synchronize();
        }
    }

    public void Export(int block, int tokens, Span<byte> bytes)
    {
        Check(tokens, bytes.Length);
        lock (_gate)
        {
            Begin();
            SendNumber(block);
            Move(isExport: true, tokens);
            for (var at = 0; at < bytes.Length; at += _pieceBytes)
            {
                var from = NumberBytes + at;
                _stream.Download(_host, from, _card.Address + (ulong)from, PieceAt(at, bytes.Length));
                _arrived[at / _pieceBytes].Record(_stream);
            }
            for (var at = 0; at < bytes.Length; at += _pieceBytes)
            {
                _arrived[at / _pieceBytes].Synchronize();
                _host.Span<byte>(NumberBytes + at, PieceAt(at, bytes.Length)).CopyTo(bytes[at..]);
            }
        }
    }

    public void Import(int block, int tokens, ReadOnlySpan<byte> bytes)
    {
        Check(tokens, bytes.Length);
        lock (_gate)
        {
            Begin();
            SendNumber(block);
            for (var at = 0; at < bytes.Length; at += _pieceBytes)
            {
                var (to, count) = (NumberBytes + at, PieceAt(at, bytes.Length));
                bytes.Slice(at, count).CopyTo(_host.Span<byte>(to, count));
                _stream.Upload(_card.Address + (ulong)to, _host, to, count);
            }
            Move(isExport: false, tokens);
            _stream.Synchronize();
        }
    }

    public void Dispose()
    {
        _stream.Dispose();
        Array.ForEach(_arrived, happening => happening.Dispose());
        _host.Dispose();
        _card.Dispose();
    }

    int PieceAt(int at, int bytes) => Math.Min(_pieceBytes, bytes - at);

    ulong AddressOf(int block) => (uint)block < (uint)_pool.Blocks
        ? _pool.Address + (ulong)(block * _pool.Layout.BlockBytes)
        : throw new ArgumentOutOfRangeException(nameof(block), block, $"the pool has {_pool.Blocks} blocks");

    /// <summary>Nothing here overtakes a step that was queued before.</summary>
    void Begin()
    {
        _pool.Card.Context.MakeCurrent();
        _stream.Wait(_pool.Written);
    }

    void SendNumber(int block)
    {
        _ = AddressOf(block);
        _host.Span<int>(0, 1)[0] = block;
        _stream.Upload(_card.Address, _host, 0, sizeof(int));
    }

    void Move(bool isExport, int tokens)
    {
        var layout = _pool.Layout;
        var (from, to) = (_pool.Address, _card.Address + NumberBytes);
        if (tokens > 0)
        {
            _operations.MoveKv(isExport, layout.Type.Size(), new(
                from, _card.Address, to, 1, tokens, layout.Layers, layout.KvHeads, layout.HeadDim, layout.ValueStride));
        }
    }

    void Check(int tokens, int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tokens, KvLayout.BlockTokens);
        if (bytes != _pool.Layout.ExportBytes(tokens))
        {
            throw new ArgumentException(
                $"{tokens} tokens are {_pool.Layout.ExportBytes(tokens)} bytes, not {bytes}", nameof(bytes));
        }
    }
}
