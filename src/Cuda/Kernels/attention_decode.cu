// Flash-decoding on tensor cores: the query heads that share a KV head are the rows of one tile, so each key and value is read once.
//
// attend_decode_T_D  for T bf16, f16 and head sizes D 64, 80, 96, 128, 256; parameters, partials and grid as attend_decode_T of
//                    attention_exact.cu, value_stride as KvLayout has it. 128 threads,
//                    shared memory: 32 D + 256 (D + value_stride) bytes.
//
// A block is one part of 256 positions: 8 blocks of the cache, two for each of the 4 warps. A warp copies its own keys and values
// (cp.async, no barrier), multiplies with mma.m16n8k16 and keeps its own online softmax; the four are merged in order at the end.
// Keys of the next block are on their way while the values of this one are used. At D = 128 a block takes 68 KiB, so 3 run on a
// multiprocessor of an H100 with up to 192 KiB on the way; 16 rows of D columns are 64 registers of a thread.
#include "attention.cuh"

// The heads of one tile: up to 16 rows.
struct HeadRows { int first, count; };

template <int D, class T> struct DecodeWarp
{
    f32 o[D / 8][4];
    Softmax state;

    // Scores of 32 keys from `key` on and, with their exponentials as weights, their values.
    DEV void scores(f32 (&s)[4][4], u32 queries, u32 keys)
    {
#pragma unroll
        for (int j = 0; j < 4; j++)
            s[j][0] = s[j][1] = s[j][2] = s[j][3] = 0;
#pragma unroll
        for (int k = 0; k < D / 16; k++) {
            u32 a[4], b[4];
            load_query<D>(a, queries, 0, k);
#pragma unroll
            for (int j = 0; j < 2; j++) {
                load_right<Tile<D>::key_row>(b, keys, k, j);
                multiply_add(s[2 * j], a, b[0], b[1], T());
                multiply_add(s[2 * j + 1], a, b[2], b[3], T());
            }
        }
    }

    DEV void add_values(const f32 (&s)[4][4], u32 values)
    {
#pragma unroll
        for (int k = 0; k < 2; k++) {
            u32 a[4], b[4];
            as_left<T>(a, s[2 * k], s[2 * k + 1]);
#pragma unroll
            for (int j = 0; j < D / 16; j++) {
                load_right<Tile<D>::value_row>(b, values, k, j);
                multiply_add(o[2 * j], a, b[0], b[1], T());
                multiply_add(o[2 * j + 1], a, b[2], b[3], T());
            }
        }
    }
};

DEV void mask(f32 (&s)[4][4], const Attention& attention, const HeadRows& rows, int position, int key)
{
    int g = (int)threadIdx.x % warp_size / 4, t = (int)threadIdx.x % 4;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int row = g + 8 * h;
        f32 slope = attention.slopes && row < rows.count ? attention.slopes[rows.first + row] : 0.0f;
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int i = 0; i < 2; i++) {
                int at = key + 8 * j + 2 * t + i;
                f32 score = attention.score(s[j][2 * h + i], slope, position, at);
                s[j][2 * h + i] = attention.seen.sees(position, at) ? score : -infinity;
            }
    }
}

// One group of copies each, empty where there is no block.
template <int D, class T> DEV void copy_keys_of(u32 shared, const T* block, int lane)
{
    if (block)
        copy_keys<D, warp_size>(shared, block, lane);
    copy_async_commit();
}

template <int D, class T> DEV void copy_values_of(u32 shared, const T* block, int count, int lane)
{
    if (block)
        copy_values<D, warp_size>(shared, block + D * block_tokens, count, lane);
    copy_async_commit();
}

// Runs over the warp's two blocks of the part; blocks that nobody sees are not touched.
template <int D, class T>
DEV void decode_warp(DecodeWarp<D, T>& warp, const Attention& attention, const HeadRows& rows, const T* pool, const i32* table,
    const KvShape& shape, int layer, int head, int position, int first_key, u32 queries, u32 tile)
{
    int lane = (int)threadIdx.x % warp_size;
    u32 keys = tile, values = tile + (u32)Tile<D>::key_bytes;
    const T* from[2];  // null: nobody sees the block
#pragma unroll
    for (int i = 0; i < 2; i++) {
        int key = first_key + 4 * i * block_tokens;
        bool seen = attention.seen.any(position, position, key, key + block_tokens - 1);
        from[i] = seen ? pool + shape.head_offset(table[key / block_tokens], layer, head) : nullptr;
    }
    int left = position + 1 - first_key;
    copy_keys_of<D>(keys, from[0], lane);
    copy_values_of<D>(values, from[0], left, lane);
#pragma unroll
    for (int i = 0; i < 2; i++) {
        f32 s[4][4];
        copy_async_wait<1>();
        warp_barrier();
        if (from[i]) {
            warp.scores(s, queries, keys);
            mask(s, attention, rows, position, first_key + 4 * i * block_tokens);
            soften(warp.state, s, warp.o);
        }
        warp_barrier();
        copy_keys_of<D>(keys, i == 0 ? from[1] : (const T*)nullptr, lane);
        copy_async_wait<1>();
        warp_barrier();
        if (from[i])
            warp.add_values(s, values);
        warp_barrier();
        if (i == 0)
            copy_values_of<D>(values, from[1], left - 4 * block_tokens, lane);
    }
}

// Writes a warp's state to shared memory: [16][D] values, then 16 maxima and 16 sums.
template <int D, class T> DEV void put(DecodeWarp<D, T>& warp, f32* shared)
{
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
            *(u2*)(shared + (g + 8 * h) * D + 8 * j + 2 * t) = u2{bits_of(warp.o[j][2 * h]), bits_of(warp.o[j][2 * h + 1])};
    }
}

// Merges the four warps' states, in order, into the part's.
template <int D> DEV void merge_warps(const f32* shared, int stride, f32* partials, i64 first_state, int parts, int count)
{
    int lane = (int)threadIdx.x % warp_size;
    for (int row = (int)threadIdx.x / warp_size; row < count; row += 4) {
        f32 max = -infinity, keep[4], sum = 0;
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

template <int D, class T>
DEV void decode(const f32* queries, const T* pool, const KvSpan& span, const i32* tables, f32* partials, int parts, int layer,
    int heads, const KvShape& shape, const Attention& attention)
{
    DYNAMIC_SHARED(shared);
    int part = (int)blockIdx.x, head = (int)blockIdx.y, warp_index = (int)threadIdx.x / warp_size, position = span.start;
    if (!attention.seen.any(position, position, part * part_tokens, part * part_tokens + part_tokens - 1))
        return;
    int group = heads / shape.kv_heads;
    u8* tile = shared + 16 * Tile<D>::query_row + warp_index * Tile<D>::bytes;
    for (int first = 0; first < group; first += 16) {
        HeadRows rows{head * group + first, group - first < 16 ? group - first : 16};
        for (int row = warp_index; row < 16; row += 4)
            store_query<D, T>(shared, row,
                row < rows.count ? queries + ((i64)span.first_row * heads + rows.first + row) * D : nullptr,
                (int)threadIdx.x % warp_size, warp_size);
        block_barrier();
        DecodeWarp<D, T> warp;
#pragma unroll
        for (int j = 0; j < D / 8; j++)
            warp.o[j][0] = warp.o[j][1] = warp.o[j][2] = warp.o[j][3] = 0;
        warp.state.clear();
        decode_warp(warp, attention, rows, pool, tables + span.table, shape, layer, head, position,
            part * part_tokens + warp_index * block_tokens, shared_address(shared), shared_address(tile));
        put(warp, (f32*)tile);
        block_barrier();
        merge_warps<D>((const f32*)(shared + 16 * Tile<D>::query_row), Tile<D>::bytes / 4, partials,
            ((i64)blockIdx.z * heads + rows.first) * parts + part, parts, rows.count);
        block_barrier();
    }
}

#define DECODE(T, D) \
    KERNEL(attend_decode_##T##_##D, 128, (const f32* queries, const T* pool, const KvSpan* spans, const i32* tables, \
        const i32* members, f32* partials, i32 parts, i32 layer, i32 layers, i32 heads, i32 kv_heads, i32 head_dim, \
        i32 value_stride, f32 scale, i32 window, f32 soft_cap, i32 sinks, const f32* slopes), \
        { \
            KvSpan span = spans[members ? members[blockIdx.z] : (i32)blockIdx.z]; \
            decode<D, T>(queries, pool, span, tables, partials, parts, layer, heads, \
                KvShape{layers, kv_heads, D, Tile<D>::value_stride}, \
                Attention{scale, soft_cap, Visibility{window, sinks}, slopes}); \
        })
DECODE(bf16, 64) DECODE(bf16, 80) DECODE(bf16, 96) DECODE(bf16, 128) DECODE(bf16, 256)
DECODE(f16, 64) DECODE(f16, 80) DECODE(f16, 96) DECODE(f16, 128) DECODE(f16, 256)
