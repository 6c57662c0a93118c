// Flash-decoding on tensor cores for any format of the cache: see attention_decode.cu and attention_decode_narrow.cu.
//
// A format has D, Product (what is multiplied), bytes of one block of 32 positions of a head in shared memory and head_bytes in
// the pool, and says how they are copied, multiplied, and which key and dimension an element of a thread is.
#pragma once
#include "attention.cuh"

// The heads of one tile: up to 16 rows.
struct HeadRows { int first, count; };

// A warp's part of shared memory, and as an address.
struct Place { u8* pointer; u32 address; };

template <class Format> struct DecodeWarp
{
    f32 o[Format::D / 8][4];
    Softmax state;
};

// From products to scores.
template <class Format>
DEV void finish_scores(f32 (&s)[4][4], const Attention& attention, const HeadRows& rows, int position, int first_key,
    const Place& tile)
{
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int row = (int)threadIdx.x % warp_size / 4 + 8 * h;
        f32 slope = attention.slopes && row < rows.count ? attention.slopes[rows.first + row] : 0.0f;
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int i = 0; i < 2; i++) {
                int key = Format::key(j, i);
                f32 product = s[j][2 * h + i] * Format::key_scale(tile, key);
                f32 score = attention.score(product, slope, position, first_key + key);
                s[j][2 * h + i] = attention.seen.sees(position, first_key + key) ? score : minus_infinity();
            }
    }
}

// One group of copies each, empty where there is no block.
template <class Format> DEV void copy_keys_of(const Place& tile, const u8* block)
{
    if (block)
        Format::copy_keys(tile.address, block, (int)threadIdx.x % warp_size);
    copy_async_commit();
}

template <class Format> DEV void copy_values_of(const Place& tile, const u8* block, int count)
{
    if (block)
        Format::copy_values(tile.address, block, count, (int)threadIdx.x % warp_size);
    copy_async_commit();
}

// Runs over the warp's two blocks of the part; blocks that nobody sees are not touched.
template <class Format>
DEV void decode_warp(DecodeWarp<Format>& warp, const Attention& attention, const HeadRows& rows, const u8* pool, const i32* table,
    const KvShape& shape, int layer, int head, int position, int first_key, u32 queries, const Place& tile)
{
    const u8* from[2];  // null: nobody sees the block
#pragma unroll
    for (int i = 0; i < 2; i++) {
        int key = first_key + 4 * i * block_tokens;
        bool seen = attention.seen.any(position, position, key, key + block_tokens - 1);
        i64 block = seen ? (i64)table[key / block_tokens] : 0;
        from[i] = seen ? pool + ((block * shape.layers + layer) * shape.kv_heads + head) * Format::head_bytes : nullptr;
    }
    int left = position + 1 - first_key;
    copy_keys_of<Format>(tile, from[0]);
    copy_values_of<Format>(tile, from[0], left);
#pragma unroll
    for (int i = 0; i < 2; i++) {
        f32 s[4][4];
        copy_async_wait<1>();
        warp_barrier();
        if (from[i]) {
#pragma unroll
            for (int j = 0; j < 4; j++)
                s[j][0] = s[j][1] = s[j][2] = s[j][3] = 0;
            Format::scores(s, queries, tile.address);
            finish_scores<Format>(s, attention, rows, position, first_key + 4 * i * block_tokens, tile);
            soften(warp.state, s, warp.o);
        }
        warp_barrier();
        copy_keys_of<Format>(tile, i == 0 ? from[1] : (const u8*)nullptr);
        copy_async_wait<1>();
        warp_barrier();
        if (from[i])
            Format::add_values(warp.o, s, tile);
        warp_barrier();
        if (i == 0)
            copy_values_of<Format>(tile, from[1], left - 4 * block_tokens);
    }
}

// Writes a warp's state to shared memory: [16][D] values, then 16 maxima and 16 sums.
template <class Format> DEV void put(DecodeWarp<Format>& warp, f32* shared)
{
    constexpr int D = Format::D;
    int g = (int)threadIdx.x % warp_size / 4, t = (int)threadIdx.x % 4;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        f32 sum = quad_sum(warp.state.sum[h]);
        if (t == 0) {
            shared[16 * D + g + 8 * h] = warp.state.max[h];
            shared[16 * D + 16 + g + 8 * h] = sum;
        }
#pragma unroll
        for (int j = 0; j < D / 8; j++)
#pragma unroll
            for (int i = 0; i < 2; i++)
                shared[(g + 8 * h) * D + Format::dimension(j, i)] = warp.o[j][2 * h + i];
    }
}

// Merges the four warps' states, in order, into the part's.
template <int D> DEV void merge_warps(const f32* shared, int stride, f32* partials, i64 first_state, int parts, int count)
{
    int lane = (int)threadIdx.x % warp_size;
    for (int row = (int)threadIdx.x / warp_size; row < count; row += 4) {
        f32 max = minus_infinity(), keep[4], sum = 0;
#pragma unroll
        for (int w = 0; w < 4; w++)
            max = larger(max, shared[w * stride + 16 * D + row]);
#pragma unroll
        for (int w = 0; w < 4; w++) {
            keep[w] = exponential(shared[w * stride + 16 * D + row] - max);
            sum = fused(shared[w * stride + 16 * D + 16 + row], keep[w], sum);
        }
        f32* state = partials + (first_state + (i64)row * parts) * (D + 2);
        for (int d = lane; d < D; d += warp_size) {
            f32 value = 0;
#pragma unroll
            for (int w = 0; w < 4; w++)
                value = fused(shared[w * stride + row * D + d], keep[w], value);
            state[d] = value;
        }
        if (lane == 0) {
            state[D] = max;
            state[D + 1] = sum;
        }
    }
}

template <class Format>
DEV void decode(const f32* queries, const u8* pool, const KvSpan& span, const i32* tables, f32* partials, int parts, int layer,
    int heads, const KvShape& shape, const Attention& attention)
{
    constexpr int D = Format::D, query_bytes = 16 * Tile<D>::query_row;
    DYNAMIC_SHARED(shared);
    int part = (int)blockIdx.x, head = (int)blockIdx.y, warp_index = (int)threadIdx.x / warp_size, position = span.start;
    if (!attention.seen.any(position, position, part * part_tokens, part * part_tokens + part_tokens - 1))
        return;
    int group = heads / shape.kv_heads;
    u8* own = shared + query_bytes + warp_index * Format::bytes;
    Place tile{own, shared_address(own)};
    for (int first = 0; first < group; first += 16) {
        HeadRows rows{head * group + first, group - first < 16 ? group - first : 16};
        for (int row = warp_index; row < 16; row += 4)
            store_query<D, typename Format::Product>(shared, row,
                row < rows.count ? queries + ((i64)span.first_row * heads + rows.first + row) * D : nullptr,
                (int)threadIdx.x % warp_size, warp_size);
        block_barrier();
        DecodeWarp<Format> warp;
#pragma unroll
        for (int j = 0; j < D / 8; j++)
            warp.o[j][0] = warp.o[j][1] = warp.o[j][2] = warp.o[j][3] = 0;
        warp.state.clear();
        decode_warp(warp, attention, rows, pool, tables + span.table, shape, layer, head, position,
            part * part_tokens + warp_index * block_tokens, shared_address(shared), tile);
        put(warp, (f32*)own);
        block_barrier();
        merge_warps<D>((const f32*)(shared + query_bytes), Format::bytes / 4, partials,
            ((i64)blockIdx.z * heads + rows.first) * parts + part, parts, rows.count);
        block_barrier();
    }
}

#define DECODE(name, Format) \
    KERNEL(name, 128, (const f32* queries, const u8* pool, const KvSpan* spans, const i32* tables, const i32* members, \
        f32* partials, i32 parts, i32 layer, i32 layers, i32 heads, i32 kv_heads, i32 head_dim, i32 value_stride, f32 scale, \
        i32 window, f32 soft_cap, i32 sinks, const f32* slopes), \
        { \
            KvSpan span = spans[members ? members[blockIdx.z] : (i32)blockIdx.z]; \
            decode<Format>(queries, pool, span, tables, partials, parts, layer, heads, \
                KvShape{layers, kv_heads, head_dim, value_stride}, Attention{scale, soft_cap, Visibility{window, sinks}, \
                slopes}); \
        })
