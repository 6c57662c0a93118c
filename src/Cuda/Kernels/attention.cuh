// What the tensor-core attentions share: tiles of the cache in shared memory, their fragments, scores and the online softmax.
#pragma once
#include "kv.cuh"

// Where 16-byte chunk c of row r lies in shared memory with rows of `bytes`: eight rows at the same chunk fall into different
// banks, so matrices of 8 x 8 load without conflicts.
template <int bytes> DEV int swizzled(int r, int c)
{
    if constexpr (bytes % 128 == 0)
        return r * bytes + ((c & ~7) | ((c ^ r) & 7)) * 16;
    else if constexpr (bytes % 64 == 0)
        return r * bytes + ((c & ~3) | ((c ^ r >> 1) & 3)) * 16;
    else
        return r * bytes + c * 16;
}

// Sizes of one block of 32 positions of one head with 16-bit elements.
template <int D> struct Tile
{
    static constexpr int value_stride = (D + 31) / 32 * 32;
    static constexpr int query_row = D * 2, key_row = block_tokens * 2, value_row = value_stride * 2;
    static constexpr int key_bytes = D * key_row, value_bytes = block_tokens * value_row;
    static constexpr int bytes = key_bytes + value_bytes;
};

struct Attention
{
    f32 scale, soft_cap;
    Visibility seen;
    const f32* slopes;

    DEV f32 score(f32 product, f32 slope, int position, int key) const
    {
        f32 s = fused(slope, (f32)(key - position), product * scale);
        return soft_cap > 0 ? soft_cap * hyperbolic_tangent(divide(s, soft_cap)) : s;
    }
};

// Copies the keys of one block; `lane` of `lanes` threads takes part.
template <int D, int lanes> DEV void copy_keys(u32 shared, const void* keys, int lane)
{
#pragma unroll
    for (int n = 0; n < (Tile<D>::key_bytes / 16 + lanes - 1) / lanes; n++) {
        int i = n * lanes + lane;
        if (i < Tile<D>::key_bytes / 16)
            copy_async(shared + (u32)swizzled<Tile<D>::key_row>(i / 4, i % 4), (const u8*)keys + i * 16, 16);
    }
}

// Copies the values of one block; those from position `count` on become zeros, for nobody knows what lies there and 0 * NaN is
// NaN.
template <int D, int lanes> DEV void copy_values(u32 shared, const void* values, int count, int lane)
{
    constexpr int chunks = Tile<D>::value_row / 16;
#pragma unroll
    for (int n = 0; n < Tile<D>::value_bytes / 16 / lanes; n++) {
        int i = n * lanes + lane, row = i / chunks;
        copy_async(shared + (u32)swizzled<Tile<D>::value_row>(row, i % chunks), (const u8*)values + i * 16, row < count ? 16 : 0);
    }
}

// Writes one row of queries as T; rows that are not there are zeros.
template <int D, class T> DEV void store_query(u8* shared, int row, const f32* query, int lane, int lanes)
{
    for (int c = lane; c < D / 8; c += lanes) {
        f32 x[8] = {};
        if (query)
            load8(query + c * 8, x);
        store8((T*)(shared + swizzled<Tile<D>::query_row>(row, c)), x);
    }
}

// 16 rows of queries from `row` on, columns 16 k to 16 k + 15, as a left factor.
template <int D> DEV void load_query(u32 (&a)[4], u32 queries, int row, int k)
{
    int lane = (int)threadIdx.x % warp_size;
    load_matrices(a, queries + (u32)swizzled<Tile<D>::query_row>(row + lane % 16, 2 * k + lane / 16));
}

// Rows 16 k to 16 k + 15, chunks 2 j and 2 j + 1 of a tile as two right factors: (b[0], b[1]) and (b[2], b[3]).
template <int bytes> DEV void load_right(u32 (&b)[4], u32 tile, int k, int j)
{
    int lane = (int)threadIdx.x % warp_size;
    load_matrices_transposed(b, tile + (u32)swizzled<bytes>(16 * k + lane % 16, 2 * j + lane / 16));
}

// A thread's two rows of a 16-row tile, g and g + 8: the maximum and the sum of exponentials so far; sums are of the thread's own
// columns until the end.
struct Softmax
{
    f32 max[2], sum[2];

    DEV void clear() { max[0] = max[1] = minus_infinity(), sum[0] = sum[1] = 0; }
};

DEV f32 quad_max(f32 v)
{
    v = larger(v, shuffle_xor(v, 1));
    return larger(v, shuffle_xor(v, 2));
}
DEV f32 quad_sum(f32 v)
{
    v += shuffle_xor(v, 1);
    return v + shuffle_xor(v, 2);
}

// Takes scores of n tiles of 8 keys to exponentials and the outputs to the new maximum.
template <int n, int outputs> DEV void soften(Softmax& state, f32 (&s)[n][4], f32 (&o)[outputs][4])
{
    f32 keep[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
        f32 most = state.max[h];
#pragma unroll
        for (int j = 0; j < n; j++)
            most = larger(most, larger(s[j][2 * h], s[j][2 * h + 1]));
        most = quad_max(most);
        // A row that sees nothing yet keeps minus_infinity(), but must not subtract it.
        f32 shift = most == minus_infinity() ? 0.0f : most * log2_e;
        // Exactly 1 where the maximum stays: keys that a row does not see change nothing.
        keep[h] = state.max[h] == most ? 1.0f : power2((state.max[h] - most) * log2_e);
        state.max[h] = most;
        f32 sum = 0;
#pragma unroll
        for (int j = 0; j < n; j++) {
            s[j][2 * h] = power2(fused(s[j][2 * h], log2_e, -shift));
            s[j][2 * h + 1] = power2(fused(s[j][2 * h + 1], log2_e, -shift));
            sum += s[j][2 * h] + s[j][2 * h + 1];
        }
        state.sum[h] = fused(state.sum[h], keep[h], sum);
    }
    if (ballot(keep[0] != 1.0f || keep[1] != 1.0f) == 0)
        return;
#pragma unroll
    for (int j = 0; j < outputs; j++) {
        o[j][0] *= keep[0], o[j][1] *= keep[0];
        o[j][2] *= keep[1], o[j][3] *= keep[1];
    }
}

// Two neighbouring tiles of 8 columns of what multiply_add gave are a left factor of 16.
template <class T> DEV void as_left(u32 (&a)[4], const f32 (&first)[4], const f32 (&second)[4])
{
    a[0] = pack<T>(first[0], first[1]), a[1] = pack<T>(first[2], first[3]);
    a[2] = pack<T>(second[0], second[1]), a[3] = pack<T>(second[2], second[3]);
}
