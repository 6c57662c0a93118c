// Linear maps of few rows on tensor cores: the weights are the left factor (16 outputs), the rows of activations the right one,
// so that 1 to 8 rows cost one product and 9 to 16 two. What a row gets does not depend on the others, nor on their number:
// columns of a product are independent and the order over k is fixed. 256 threads.
//
// skinny_T    for T bf16, f16: parameters as gemv_T of gemv.cu; k a multiple of 8; activations are rounded to T.
//             Grid: (ceil(n0 / 16) + ceil(n1 / 16) + ceil(n2 / 16), ceil(rows / 16)).
// skinny_q8   (const u4* quants, const f16* scales, const f16* minima, const f32* bias, f32* target, const f32* source, i32 n,
//              i32 k, i32 rows, i32 accumulate)
//             weight = scale * q (+ minimum, null: 0) with one scale and minimum for 32 columns; q is a signed byte. k a multiple
//             of 32; rows of weights are padded to 64 columns. Products are exact but for the activations' rounding to bf16.
//             Grid: (ceil(n / 16), ceil(rows / 16)).
// skinny_q4   The same with q of 4 bits, 0 to 15, less 8 where there are no minima; rows are padded to 128 columns.
// repack_q8, repack_q4, repack_q4_min
//             (const u8* blocks, u4* quants, f16* scales, f16* minima, i32 n, i32 k) from rows of DType.Q8, Q4 and Q4Min blocks.
//             Grid: any. Blocks of 128 threads.
//
// How quants lie: q8, 64 columns in 64 bytes: byte 16 t + 8 h + j is column 32 h + 8 t + j. q4, 128 columns in 64 bytes: word t,
// h of [4][4] has columns 32 h + 8 t to + 7, column 2 p in bits 4 p, column 2 p + 1 in bits 16 + 4 p. scales, minima: [n][padded
// k / 32]. So lane (g, t) reads 16 bytes that are its fragments of rows g and g + 8: the order of k within a product is free, if
// both factors have the same.
//
// A warp takes every eighth piece of 64 or 128 columns; the eight warps' sums are added in order. Each lane has 8 loads of 16
// bytes under way, a block 32 KiB; 2 blocks on a multiprocessor are more than the 28 KiB that an H200 needs.
#include "prelude.cuh"

constexpr int warps = 8;

// 16 outputs of a map, from `first` on.
struct Outputs
{
    int first, n;

    DEV int row(int i) const { return first + i < n ? first + i : n - 1; }
};

// Eight activations of one row as right factors of two products: (b[0], b[1]) and (b[2], b[3]).
template <class T> DEV void load_row(u32 (&b)[4], const f32* source, bool real)
{
    f32 x[8] = {};
    if (real)
        load8(source, x);
    b[0] = pack<T>(x[0], x[1]), b[1] = pack<T>(x[2], x[3]), b[2] = pack<T>(x[4], x[5]), b[3] = pack<T>(x[6], x[7]);
}

// Adds the warps' sums and writes 16 outputs of up to 8 * tiles rows.
template <int tiles>
DEV void finish(const f32 (&sums)[tiles][4], const f32* bias, f32* target, const Outputs& outputs, int rows, bool accumulate)
{
    SHARED(f32[warps * 16 * 16], parts);
    int lane = (int)threadIdx.x % warp_size, g = lane / 4, t = lane % 4;
    f32* own = parts + (int)threadIdx.x / warp_size * 16 * 16;
#pragma unroll
    for (int j = 0; j < tiles; j++)
#pragma unroll
        for (int r = 0; r < 4; r++)
            own[(8 * j + 2 * t + r % 2) * 16 + g + r / 2 * 8] = sums[j][r];
    block_barrier();
    int row = (int)threadIdx.x / 16, output = outputs.first + (int)threadIdx.x % 16;
    if (row >= rows || output >= outputs.n)
        return;
    f32 sum = 0;
#pragma unroll
    for (int w = 0; w < warps; w++)
        sum += parts[w * 16 * 16 + threadIdx.x];
    f32* place = target + (i64)row * outputs.n + output;
    *place = (accumulate ? *place : 0.0f) + (sum + (bias ? bias[output] : 0.0f));
}

struct Rows
{
    const f32* source;
    int count, k;

    // Columns from `column` on of row 8 j + g.
    template <class T> DEV void load(u32 (&b)[4], int j, int column) const
    {
        int row = 8 * j + (int)threadIdx.x % warp_size / 4;
        load_row<T>(b, source + (i64)row * k + column, row < count && column < k);
    }
};

template <int tiles, class T> DEV void multiply(const T* weights, const Outputs& outputs, const Rows& rows, f32 (&sums)[tiles][4])
{
    constexpr int pieces = 4, step = 32 * warps;  // pieces of 32 columns under way
    int lane = (int)threadIdx.x % warp_size, g = lane / 4, t = lane % 4, k = rows.k;
    const T* low = weights + (i64)outputs.row(g) * k;
    const T* high = weights + (i64)outputs.row(g + 8) * k;
    for (int first = (int)threadIdx.x / warp_size * 32 + 8 * t; first - 8 * t < k; first += pieces * step) {
        u4 a[pieces][2];
#pragma unroll
        for (int i = 0; i < pieces; i++) {
            int column = first + i * step;
            a[i][0] = column < k ? load_once(low + column) : u4{0, 0, 0, 0};
            a[i][1] = column < k ? load_once(high + column) : u4{0, 0, 0, 0};
        }
#pragma unroll
        for (int i = 0; i < pieces; i++) {
            u32 left[2][4] = {{a[i][0].x, a[i][1].x, a[i][0].y, a[i][1].y}, {a[i][0].z, a[i][1].z, a[i][0].w, a[i][1].w}};
#pragma unroll
            for (int j = 0; j < tiles; j++) {
                u32 b[4];
                rows.load<T>(b, j, first + i * step);
                multiply_add(sums[j], left[0], b[0], b[1], T());
                multiply_add(sums[j], left[1], b[2], b[3], T());
            }
        }
    }
}

struct LinearMap { const void* weights; const f32* bias; f32* target; int n, index; };

template <int tiles, class T>
DEV void skinny_rows(const LinearMap& map, const Outputs& outputs, const Rows& rows, int first_row, bool accumulate)
{
    f32 sums[tiles][4] = {};
    multiply((const T*)map.weights, outputs, rows, sums);
    finish(sums, map.bias, map.target + (i64)first_row * map.n, outputs, rows.count, accumulate);
}

template <class T>
DEV void skinny(LinearMap a, const LinearMap& b, const LinearMap& c, const f32* source, int k, int rows, int accumulate)
{
    int tile = (int)blockIdx.x, first_row = (int)blockIdx.y * 16;
    int tiles_a = (a.n + 15) / 16, tiles_b = (b.n + 15) / 16;
    if (tile >= tiles_a + tiles_b) {
        tile -= tiles_a + tiles_b;
        a = c;
    } else if (tile >= tiles_a) {
        tile -= tiles_a;
        a = b;
    }
    Outputs outputs{tile * 16, a.n};
    Rows some{source + (i64)first_row * k, rows - first_row < 16 ? rows - first_row : 16, k};
    if (some.count > 8)
        skinny_rows<2, T>(a, outputs, some, first_row, accumulate >> a.index & 1);
    else
        skinny_rows<1, T>(a, outputs, some, first_row, accumulate >> a.index & 1);
}

#define SKINNY(T) \
    KERNEL_OCCUPIED(skinny_##T, 256, 2, (const T* weights0, const T* weights1, const T* weights2, const f32* bias0, \
        const f32* bias1, const f32* bias2, f32* target0, f32* target1, f32* target2, const f32* source, i32 n0, i32 n1, i32 n2, \
        i32 k, i32 rows, i32 accumulate), \
        { skinny<T>(LinearMap{weights0, bias0, target0, n0, 0}, LinearMap{weights1, bias1, target1, n1, 1}, \
            LinearMap{weights2, bias2, target2, n2, 2}, source, k, rows, accumulate); })
SKINNY(bf16)
SKINNY(f16)

// Four signed bytes as two pairs of bf16: 2^23 + 128 + q is a float whose low byte is q + 128.
DEV void widen_bytes(u32 q, u32& first, u32& second)
{
    u32 shifted = q ^ 0x80808080;
    constexpr u32 base = 0x4b000000;
    f32 x[4];
#pragma unroll
    for (int i = 0; i < 4; i++)
        x[i] = from_bits(pick_bytes(shifted, base, 0x7440 + (u32)i)) - 8388736.0f;
    first = pack_bf16(x[0], x[1]), second = pack_bf16(x[2], x[3]);
}

// Pair p of a word of 4-bit numbers as bf16, less `offset` which holds -(128 + zero) twice: 128 + q is 0x4300 | q.
DEV u32 widen_pair(u32 word, int p, u32 offset)
{
    return fused_pairs_bf16((word >> 4 * p & 0x000f000f) | 0x43004300, 0x3f803f80, offset);
}

// What a lane holds of one group of 32 columns of its two rows: left factors of two products.
struct Group { u32 left[2][4]; };

struct Bytes
{
    static constexpr int columns = 64, groups = 2;

    DEV static Group group(const u4& low, const u4& high, int h, bool)
    {
        Group r;
        widen_bytes(h == 0 ? low.x : low.z, r.left[0][0], r.left[0][2]);
        widen_bytes(h == 0 ? high.x : high.z, r.left[0][1], r.left[0][3]);
        widen_bytes(h == 0 ? low.y : low.w, r.left[1][0], r.left[1][2]);
        widen_bytes(h == 0 ? high.y : high.w, r.left[1][1], r.left[1][3]);
        return r;
    }
};

struct Nibbles
{
    static constexpr int columns = 128, groups = 4;

    DEV static u32 word(const u4& v, int h) { return h == 0 ? v.x : h == 1 ? v.y : h == 2 ? v.z : v.w; }

    DEV static Group group(const u4& low, const u4& high, int h, bool minima)
    {
        u32 a = word(low, h), b = word(high, h), offset = minima ? 0xc300c300 : 0xc308c308;  // -128, -136
        Group r;
#pragma unroll
        for (int s = 0; s < 2; s++) {
            r.left[s][0] = widen_pair(a, 2 * s, offset), r.left[s][1] = widen_pair(b, 2 * s, offset);
            r.left[s][2] = widen_pair(a, 2 * s + 1, offset), r.left[s][3] = widen_pair(b, 2 * s + 1, offset);
        }
        return r;
    }
};

struct Quantized { const u4* quants; const f16* scales; const f16* minima; };

// Adds one group: its products have one scale per row of weights; minima take the sums of the activations, a product with ones.
template <int tiles>
DEV void add_group(const Group& group, const Quantized& w, i64 low, i64 high, const Rows& rows, int column, f32 (&sums)[tiles][4])
{
    constexpr u32 ones[4] = {0x3f803f80, 0x3f803f80, 0x3f803f80, 0x3f803f80};
    f32 scale[2] = {widen(w.scales[low]), widen(w.scales[high])}, minimum[2] = {};
    if (w.minima)
        minimum[0] = widen(w.minima[low]), minimum[1] = widen(w.minima[high]);
#pragma unroll
    for (int j = 0; j < tiles; j++) {
        u32 b[4];
        rows.load<bf16>(b, j, column);
        f32 part[4] = {}, total[4] = {};
        multiply_add(part, group.left[0], b[0], b[1], bf16());
        multiply_add(part, group.left[1], b[2], b[3], bf16());
        if (w.minima) {
            multiply_add(total, ones, b[0], b[1], bf16());
            multiply_add(total, ones, b[2], b[3], bf16());
        }
#pragma unroll
        for (int r = 0; r < 4; r++)
            sums[j][r] = fused(minimum[r / 2], total[r], fused(scale[r / 2], part[r], sums[j][r]));
    }
}

template <class Q, int tiles>
DEV void multiply(const Quantized& w, const Outputs& outputs, const Rows& rows, f32 (&sums)[tiles][4])
{
    constexpr int ahead = 4, step = Q::columns * warps;
    int lane = (int)threadIdx.x % warp_size, g = lane / 4, t = lane % 4;
    int padded = (rows.k + Q::columns - 1) / Q::columns * Q::columns;
    i64 low = (i64)outputs.row(g) * padded, high = (i64)outputs.row(g + 8) * padded;
    constexpr int per_vector = Q::columns / 4;
    for (int first = (int)threadIdx.x / warp_size * Q::columns; first < padded; first += ahead * step) {
        u4 a[ahead][2];
#pragma unroll
        for (int i = 0; i < ahead; i++) {
            int column = first + i * step;
            a[i][0] = column < padded ? load_once(w.quants + (low + column) / per_vector + t) : u4{0, 0, 0, 0};
            a[i][1] = column < padded ? load_once(w.quants + (high + column) / per_vector + t) : u4{0, 0, 0, 0};
        }
#pragma unroll
        for (int i = 0; i < ahead; i++)
#pragma unroll
            for (int h = 0; h < Q::groups; h++) {
                int column = first + i * step + 32 * h;
                if (column < rows.k)
                    add_group(Q::group(a[i][0], a[i][1], h, w.minima != nullptr), w, (low + column) / 32, (high + column) / 32,
                        rows,
                        column + 8 * t, sums);
            }
    }
}

template <class Q, int tiles>
DEV void quantized_rows(const Quantized& w, const f32* bias, f32* target, const Outputs& outputs, const Rows& rows,
    bool accumulate)
{
    f32 sums[tiles][4] = {};
    multiply<Q>(w, outputs, rows, sums);
    finish(sums, bias, target, outputs, rows.count, accumulate);
}

template <class Q>
DEV void skinny_quantized(const Quantized& w, const f32* bias, f32* target, const f32* source, int n, int k, int rows,
    int accumulate)
{
    int first_row = (int)blockIdx.y * 16;
    Outputs outputs{(int)blockIdx.x * 16, n};
    Rows some{source + (i64)first_row * k, rows - first_row < 16 ? rows - first_row : 16, k};
    target += (i64)first_row * n;
    if (some.count > 8)
        quantized_rows<Q, 2>(w, bias, target, outputs, some, accumulate);
    else
        quantized_rows<Q, 1>(w, bias, target, outputs, some, accumulate);
}

#define SKINNY_QUANTIZED(name, Q) \
    KERNEL_OCCUPIED(name, 256, 2, (const u4* quants, const f16* scales, const f16* minima, const f32* bias, f32* target, \
        const f32* source, i32 n, i32 k, i32 rows, i32 accumulate), \
        { skinny_quantized<Q>(Quantized{quants, scales, minima}, bias, target, source, n, k, rows, accumulate); })
SKINNY_QUANTIZED(skinny_q8, Bytes)
SKINNY_QUANTIZED(skinny_q4, Nibbles)

DEV f16 load_half(const u8* p) { return f16{(u16)(p[0] | p[1] << 8)}; }

// Calls f(block of 32 columns or null beyond the row's end, row, group, first column) for every group of the padded rows.
template <class F> DEV void over_groups(const u8* blocks, int block_bytes, int n, int k, int columns, F f)
{
    int padded = (k + columns - 1) / columns * columns / 32;
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < (i64)n * padded; i += (i64)gridDim.x * blockDim.x) {
        int row = (int)(i / padded), group = (int)(i % padded);
        f(group * 32 < k ? blocks + ((i64)row * (k / 32) + group) * block_bytes : nullptr, i);
    }
}

DEV void repack_bytes(const u8* blocks, u4* quants, f16* scales, int n, int k)
{
    over_groups(blocks, 34, n, k, Bytes::columns, [&](const u8* block, i64 i) {
        scales[i] = block ? load_half(block) : f16{0};
        u8* target = (u8*)quants + i / 2 * 64 + i % 2 * 8;
        for (int t = 0; t < 4; t++)
            for (int j = 0; j < 8; j++)
                target[16 * t + j] = block ? block[2 + 8 * t + j] : 0;
    });
}

template <bool with_minima> DEV void repack_nibbles(const u8* blocks, u4* quants, f16* scales, f16* minima, int n, int k)
{
    constexpr int header = with_minima ? 4 : 2;
    over_groups(blocks, header + 16, n, k, Nibbles::columns, [&](const u8* block, i64 i) {
        scales[i] = block ? load_half(block) : f16{0};
        if (with_minima)
            minima[i] = block ? load_half(block + 2) : f16{0};
        for (int t = 0; t < 4; t++) {
            u32 word = 0;
            for (int j = 0; j < 8; j++) {
                int column = 8 * t + j;
                u32 q = block ? (u32)block[header + column % 16] >> column / 16 * 4 & 15 : with_minima ? 0 : 8;
                word |= q << (j % 2 * 16 + j / 2 * 4);
            }
            ((u32*)quants)[i / 4 * 16 + 4 * t + i % 4] = word;
        }
    });
}

KERNEL(repack_q8, 128, (const u8* blocks, u4* quants, f16* scales, f16* minima, i32 n, i32 k),
{
    repack_bytes(blocks, quants, scales, n, k);
})
KERNEL(repack_q4, 128, (const u8* blocks, u4* quants, f16* scales, f16* minima, i32 n, i32 k),
{
    repack_nibbles<false>(blocks, quants, scales, minima, n, k);
})
KERNEL(repack_q4_min, 128, (const u8* blocks, u4* quants, f16* scales, f16* minima, i32 n, i32 k),
{
    repack_nibbles<true>(blocks, quants, scales, minima, n, k);
})
