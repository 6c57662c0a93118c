using System.Runtime.InteropServices;

namespace Hearth.Cuda;

// One record per kernel: its parameters in order. Pointers are device addresses, activations are f32 [rows, width], T is the type
// that the kernel's name ends with. A kernel's threads are ThreadsPerBlock unless said otherwise.

/// <summary><c>embed_T</c>: target[r] = scale * table[ids[r]], or += that. Grid: rows.</summary>
/// <param name="Table">T [any, width]</param>
/// <param name="Ids">i32 [rows]</param>
[StructLayout(LayoutKind.Sequential)]
readonly record struct EmbedLaunch(ulong Table, ulong Ids, ulong Target, int Width, float Scale, int Accumulate);

/// <summary><c>rms_norm_T</c>: target T [rows, width]. Grid: rows; one fixed order of the sum.</summary>
/// <param name="Weight">f32 [groups, width]: row r takes that of r % groups.</param>
[StructLayout(LayoutKind.Sequential)]
readonly record struct RmsNormLaunch(ulong Source, ulong Weight, ulong Target, int Width, float Epsilon, int Groups);

/// <summary><c>layer_norm_T</c>: as <see cref="RmsNormLaunch"/>.</summary>
/// <param name="Bias">f32 [width], or 0 for none.</param>
[StructLayout(LayoutKind.Sequential)]
readonly record struct LayerNormLaunch(
    ulong Source, ulong Weight, ulong Bias, ulong Target, int Width, float Epsilon, int Groups);

/// <summary><c>narrow_T</c>: f32 to T, to the nearest, ties to even; <c>widen_T</c>: T to f32. A grid-stride loop.</summary>
[StructLayout(LayoutKind.Sequential)]
readonly record struct ConvertLaunch(ulong Source, ulong Target, long Count);

/// <summary><c>gemv_T</c>: up to three linear maps of the same few rows: y_i = x W_i^T + b_i, or += that. A row's result depends
/// on nothing but the row: the order of its sum is the same for any number of rows. Grid: blocks of 4 outputs over
/// n0 + n1 + n2, one warp per output.</summary>
/// <param name="Weights0">T [n0, k]; n1 and n2 may be 0.</param>
/// <param name="Bias0">f32 [n0] or 0.</param>
/// <param name="Source">f32 [rows, k], rows up to 8.</param>
/// <param name="Accumulate">Bit i: add to y_i.</param>
[StructLayout(LayoutKind.Sequential)]
readonly record struct GemvLaunch(
    ulong Weights0, ulong Weights1, ulong Weights2, ulong Bias0, ulong Bias1, ulong Bias2,
    ulong Target0, ulong Target1, ulong Target2, ulong Source,
    int N0, int N1, int N2, int K, int Rows, int Accumulate);

/// <summary><c>rope</c> turns queries and keys in place by pairs (i, i + half), <c>rope_interleaved</c> by (2i, 2i + 1).
/// Grid: rows.</summary>
/// <param name="Cosines">f32 [rows, stride]</param>
[StructLayout(LayoutKind.Sequential)]
readonly record struct RopeLaunch(
    ulong Queries, ulong Keys, ulong Cosines, ulong Sines, int QueryHeads, int KeyHeads, int HeadDim, int Half, int Stride);

/// <summary><c>kv_write_T</c>: stores new keys and values in the pool. Grid: rows. The pool's layout is KvLayout's:
/// [block][layer][kvHead] of keys [headDim][32], then values [32][valueStride], T.</summary>
/// <param name="Keys">f32 [rows, kvHeads, headDim]</param>
/// <param name="Slots">i32 [rows]: block * 32 + place in it.</param>
[StructLayout(LayoutKind.Sequential)]
readonly record struct KvWriteLaunch(
    ulong Keys, ulong Values, ulong Pool, ulong Slots, int Layer, int Layers, int KvHeads, int HeadDim, int ValueStride);

/// <summary><c>attend_decode_T</c>: flash-decoding of sequences with one new row each. Grid: (parts, kvHeads, sequences); part p
/// covers positions [256 p, 256 p + 256), a block beyond the sequence's end does nothing. Each writes, for every query head of
/// its group, partials[sequence][head][part] of [headDim values, maximum, sum].</summary>
/// <param name="Queries">f32 [rows, heads, headDim]</param>
/// <param name="Spans">i32 x 4 per sequence: first row, rows, start (position of the first new row), table offset.</param>
/// <param name="Tables">i32: the sequences' block tables.</param>
/// <param name="Members">i32 [sequences]: which spans; null takes all.</param>
/// <param name="Window">Positions that a query sees, itself included; 0 for all.</param>
/// <param name="Slopes">f32 [heads]: scores get slope * (key - position); 0 for none.</param>
[StructLayout(LayoutKind.Sequential)]
readonly record struct AttendDecodeLaunch(
    ulong Queries, ulong Pool, ulong Spans, ulong Tables, ulong Members, ulong Partials, int Parts,
    int Layer, int Layers, int Heads, int KvHeads, int HeadDim, int ValueStride,
    float Scale, int Window, float SoftCap, int SinkTokens, ulong Slopes);

/// <summary><c>attend_merge</c>: merges the parts of <see cref="AttendDecodeLaunch"/> in ascending order into f32 rows.
/// Grid: (heads, sequences).</summary>
/// <param name="Target">f32 [rows, heads, headDim]</param>
[StructLayout(LayoutKind.Sequential)]
readonly record struct AttendMergeLaunch(
    ulong Partials, ulong Spans, ulong Members, ulong Target, int Parts, int Heads, int HeadDim, int Window, int SinkTokens);

/// <summary><c>attend_prefill_T</c>: causal flash attention of sequences with any number of new rows, in tiles of
/// 64 rows. Grid: (tiles, heads).</summary>
/// <param name="Tiles">i32 x 2 per tile: span, first row of the tile within the span.</param>
[StructLayout(LayoutKind.Sequential)]
readonly record struct AttendPrefillLaunch(
    ulong Queries, ulong Pool, ulong Spans, ulong Tables, ulong Tiles, ulong Target,
    int Layer, int Layers, int Heads, int KvHeads, int HeadDim, int ValueStride,
    float Scale, int Window, float SoftCap, int SinkTokens, ulong Slopes);

/// <summary><c>activate_T</c>: target T = silu(gate) * up (kind 0) or gelu_tanh(gate) (kind 1, up is 0). A grid-stride
/// loop.</summary>
[StructLayout(LayoutKind.Sequential)]
readonly record struct ActivateLaunch(ulong Gate, ulong Up, ulong Target, long Count, int Kind);

/// <summary><c>gather_rows</c>: target[i] = source[rows[i]], f32. Grid: rows.</summary>
[StructLayout(LayoutKind.Sequential)]
readonly record struct GatherRowsLaunch(ulong Source, ulong RowIds, ulong Target, int Width);

/// <summary><c>argmax</c>: the first of the largest, per row; -1 for NaN and for a row without a finite number.
/// Grid: rows.</summary>
/// <param name="Target">i32 [rows]</param>
[StructLayout(LayoutKind.Sequential)]
readonly record struct ArgmaxLaunch(ulong Logits, ulong Target, int Width);

/// <summary><c>kv_export_T</c>, <c>kv_import_T</c> (T is f32 for 4 bytes, f16 for any 2): blocks' first tokens to or from the
/// compact form of KvPool.Export, behind one another. Grid: (layers * kvHeads, blocks).</summary>
/// <param name="Blocks">i32 [blocks]</param>
/// <param name="Tokens">Of the last block; all others are whole.</param>
[StructLayout(LayoutKind.Sequential)]
readonly record struct KvMoveLaunch(
    ulong Pool, ulong Blocks, ulong Compact, int BlockCount, int Tokens, int Layers, int KvHeads, int HeadDim, int ValueStride);

/// <summary><c>route</c>: rows of router scores choose experts. Grid: rows, 32 threads.</summary>
/// <param name="Scores">f32 [rows, experts]</param>
/// <param name="Corrections">f32 [experts], or 0.</param>
/// <param name="Chosen">i32 [rows, perRow]; weights alike, f32.</param>
[StructLayout(LayoutKind.Sequential)]
readonly record struct RouteLaunch(
    ulong Scores, ulong Corrections, ulong Chosen, ulong Weights, int Experts, int PerRow, int Sigmoids, int Normalize,
    float Scale, int Groups, int GroupsChosen);

/// <summary><c>gemv_experts_T</c>: a linear map for each pair of a row and an expert it chose.
/// Grid: (ceil(n / 4), pairs).</summary>
/// <param name="Weights">u64 [experts]: addresses of T [n, k].</param>
/// <param name="Biases">u64 [experts]: addresses of f32 [n]; or 0.</param>
/// <param name="Shared">1: the source has a row for each row, not for each pair.</param>
[StructLayout(LayoutKind.Sequential)]
readonly record struct GemvExpertsLaunch(
    ulong Weights, ulong Biases, ulong Chosen, ulong Source, ulong Target, int N, int K, int PerRow, int Shared);

/// <summary><c>combine_rows</c>: target[i] = sum over j of weights[i, j] * source[rowIds[i, j]]. Grid: rows.</summary>
[StructLayout(LayoutKind.Sequential)]
readonly record struct CombineRowsLaunch(
    ulong Source, ulong RowIds, ulong Weights, ulong Target, int PerRow, int Width, int Accumulate);

/// <summary><c>clip</c>: into [-limit, limit]. A grid-stride loop.</summary>
[StructLayout(LayoutKind.Sequential)]
readonly record struct ClipLaunch(ulong Target, float Limit, long Count);

/// <summary><c>add_rows</c>: target += source * scale, or that times sigmoid(gates[row]). A grid-stride loop.</summary>
[StructLayout(LayoutKind.Sequential)]
readonly record struct AddRowsLaunch(ulong Source, ulong Gates, ulong Target, long Count, int Width, float Scale);
