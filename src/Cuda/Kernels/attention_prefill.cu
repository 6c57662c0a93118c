// Flash attention of prompts on tensor cores (Dao 2023): causal, over the paged cache, any number of sequences in one launch.
//
// attend_prefill_T_D  for T bf16, f16 and head sizes D 64, 80, 96, 128, 256; parameters and grid as attend_prefill_T of
//                     attention_exact.cu, but a tile has 128 rows (D = 256: 64). 128 threads,
//                     shared memory: 2 D (tile rows) + 256 (D + value_stride) bytes.
//
// Each of 4 warps has 32 rows (D = 256: 16), so a matrix of keys or values that is loaded from shared memory serves two products;
// 64 keys at a time, the next 64 on their way (cp.async, two buffers). A row's result depends on its position and on what it
// sees: keys come in ascending order in tiles at multiples of 64, and a tile that a row does not see changes nothing of it.
//
// Registers of a thread at D = 128: 128 of output, 64 of scores, 12 of factors; 96 KiB of shared memory: 2 blocks on a
// multiprocessor. Work 4 D per (row, key) pair; per 64 keys a warp issues 2 D / 16 * 8 * 2 products for D / 16 * 10 loads of
// matrices, so that shared memory is busy for half of the time that the tensor cores are.
#include "attention_prefill.cuh"

constexpr int tile_keys = 64;

template <int D, class T> struct PrefillWarp
{
    static constexpr int m = D > 128 ? 1 : 2;  // tiles of 16 rows

    f32 o[m][D / 8][4];
    Softmax state[m];

    DEV void clear()
    {
#pragma unroll
        for (int i = 0; i < m; i++) {
            state[i].clear();
#pragma unroll
            for (int j = 0; j < D / 8; j++)
                o[i][j][0] = o[i][j][1] = o[i][j][2] = o[i][j][3] = 0;
        }
    }

    DEV void scores(f32 (&s)[m][tile_keys / 8][4], u32 queries, int row, u32 tile)
    {
#pragma unroll
        for (int i = 0; i < m; i++)
#pragma unroll
            for (int j = 0; j < tile_keys / 8; j++)
                s[i][j][0] = s[i][j][1] = s[i][j][2] = s[i][j][3] = 0;
#pragma unroll
        for (int k = 0; k < D / 16; k++) {
            u32 a[m][4], b[4];
#pragma unroll
            for (int i = 0; i < m; i++)
                load_query<D>(a[i], queries, row + 16 * i, k);
#pragma unroll
            for (int j = 0; j < tile_keys / 16; j++) {
                load_right<Tile<D>::key_row>(b, tile + (u32)(j / 2 * Tile<D>::bytes), k, j % 2);
#pragma unroll
                for (int i = 0; i < m; i++) {
                    multiply_add(s[i][2 * j], a[i], b[0], b[1], T());
                    multiply_add(s[i][2 * j + 1], a[i], b[2], b[3], T());
                }
            }
        }
    }

    DEV void add_values(const f32 (&s)[m][tile_keys / 8][4], u32 tile)
    {
#pragma unroll
        for (int k = 0; k < tile_keys / 16; k++) {
            u32 a[m][4], b[4];
#pragma unroll
            for (int i = 0; i < m; i++)
                as_left<T>(a[i], s[i][2 * k], s[i][2 * k + 1]);
            u32 values = tile + (u32)(k / 2 * Tile<D>::bytes + Tile<D>::key_bytes);
#pragma unroll
            for (int j = 0; j < D / 16; j++) {
                load_right<Tile<D>::value_row>(b, values, k % 2, j);
#pragma unroll
                for (int i = 0; i < m; i++) {
                    multiply_add(o[i][2 * j], a[i], b[0], b[1], T());
                    multiply_add(o[i][2 * j + 1], a[i], b[2], b[3], T());
                }
            }
        }
    }
};

template <int D>
DEV void copy_tile(u32 shared, const u8* pool, const i32* table, const KvShape& shape, int layer, int head,
    const Attention& attention,
    const TileRows& rows, int key)
{
    int last = rows.last(), lane = (int)threadIdx.x;
#pragma unroll
    for (int i = 0; i < 2; i++, key += block_tokens, shared += (u32)Tile<D>::bytes) {
        bool seen = attention.seen.any(rows.first, last, key, key + block_tokens - 1);
        const u8* block = seen ? pool + 2 * shape.head_offset(table[key / block_tokens], layer, head) : pool;
        if (seen)
            copy_keys<D, 128>(shared, block, lane);
        copy_values<D, 128>(shared + (u32)Tile<D>::key_bytes, block + Tile<D>::key_bytes, seen ? last + 1 - key : 0, lane);
    }
    copy_async_commit();
}

template <int D, class T>
DEV void prefill(const f32* queries, const u8* pool, const KvSpan& span, const i32* table, int first, f32* target, int layer,
    int heads,
    const KvShape& shape, const Attention& attention)
{
    DYNAMIC_SHARED(shared);
    constexpr int m = PrefillWarp<D, T>::m, rows_max = 64 * m, stage = 2 * Tile<D>::bytes;
    int head = (int)blockIdx.y, kv_head = head / (heads / shape.kv_heads), row = (int)threadIdx.x / warp_size * 16 * m;
    TileRows rows{span.start + first, span.rows - first < rows_max ? span.rows - first : rows_max};
    i64 row_elements = (i64)heads * D, at = (i64)(span.first_row + first) * row_elements + head * D;
    u32 query_tile = shared_address(shared), tiles = query_tile + rows_max * Tile<D>::query_row;
    int last = rows.last();
    int tile = next_tile<tile_keys>(attention, rows, -1);
    copy_tile<D>(tiles, pool, table, shape, layer, kv_head, attention, rows, tile * tile_keys);
    constexpr int row_threads = 8;
    for (int r = (int)threadIdx.x / row_threads; r < rows_max; r += 128 / row_threads)
        store_query<D, T>(shared, r, r < rows.count ? queries + at + r * row_elements : nullptr, (int)threadIdx.x % row_threads,
            row_threads);
    PrefillWarp<D, T> warp;
    warp.clear();
    f32 slope = attention.slopes ? attention.slopes[head] : 0.0f;
    int warp_first = rows.first + row;
    int warp_last = row + 16 * m < rows.count ? warp_first + 16 * m - 1 : last;
    for (int buffer = 0; tile * tile_keys <= last; buffer ^= 1) {
        int key = tile * tile_keys;
        tile = next_tile<tile_keys>(attention, rows, tile);
        if (tile * tile_keys <= last)
            copy_tile<D>(tiles + (u32)((buffer ^ 1) * stage), pool, table, shape, layer, kv_head, attention, rows,
                tile * tile_keys);
        else
            copy_async_commit();
        copy_async_wait<1>();
        block_barrier();
        if (row < rows.count && attention.seen.any(warp_first, warp_last, key, key + tile_keys - 1)) {
            f32 s[m][tile_keys / 8][4];
            u32 current = tiles + (u32)(buffer * stage);
            bool whole = sees_whole(attention, rows, row, 16 * m, key, tile_keys);
            warp.scores(s, query_tile, row, current);
#pragma unroll
            for (int i = 0; i < m; i++) {
                finish_scores(s[i], attention, slope, rows, row + 16 * i, key, whole);
                soften(warp.state[i], s[i], warp.o[i]);
            }
            warp.add_values(s, current);
        }
        block_barrier();
    }
#pragma unroll
    for (int i = 0; i < m; i++)
        store(warp.o[i], warp.state[i], target + at, row_elements, rows, row + 16 * i);
}

#define PREFILL_OF(T, D) PREFILL(attend_prefill_##T##_##D, 128, (prefill<D, T>))
PREFILL_OF(bf16, 64) PREFILL_OF(bf16, 80) PREFILL_OF(bf16, 96) PREFILL_OF(bf16, 128) PREFILL_OF(bf16, 256)
PREFILL_OF(f16, 64) PREFILL_OF(f16, 80) PREFILL_OF(f16, 96) PREFILL_OF(f16, 128) PREFILL_OF(f16, 256)
