// Flash attention of prompts on tensor cores (Dao 2023): causal, over the paged cache, any number of sequences in one launch.
//
// attend_prefill_T_D  for T bf16, f16 and head sizes D 64, 80, 96, 128, 256; parameters and grid as attend_prefill_T of
//                     attention_exact.cu, but a tile has 128 rows (D = 256: 64). 128 threads,
//                     shared memory: 2 D (tile rows) + 256 (D + value_stride) bytes.
//
// Each of 4 warps has 32 rows (D = 256: 16), so a matrix of keys or values that is loaded from shared memory serves two products;
// 64 keys at a time, the next 64 on their way (cp.async, two buffers). A row's result depends on its position and on what it sees:
// keys come in ascending order in tiles at multiples of 64, and a tile that a row does not see changes nothing of it.
//
// Registers of a thread at D = 128: 128 of output, 64 of scores, 12 of factors; 96 KiB of shared memory: 2 blocks on a
// multiprocessor. Work 4 D per (row, key) pair; per 64 keys a warp issues 2 D / 16 * 8 * 2 products for D / 16 * 10 loads of
// matrices, so that shared memory is busy for half of the time that the tensor cores are.
#include "attention.cuh"

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

// Rows of a tile: their positions from `first` on, of which `count` are there.
struct TileRows { int first, count; };

// From products to scores; `whole`: every row sees all of the keys.
template <int m>
DEV void finish_scores(f32 (&s)[m][tile_keys / 8][4], const Attention& attention, f32 slope, const TileRows& rows, int row, int key,
    bool whole)
{
    int g = (int)threadIdx.x % warp_size / 4, t = (int)threadIdx.x % 4;
    bool plain = attention.soft_cap == 0 && slope == 0;
#pragma unroll
    for (int i = 0; i < m; i++)
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int index = row + 16 * i + g + 8 * h, position = rows.first + index;
#pragma unroll
            for (int j = 0; j < tile_keys / 8; j++)
#pragma unroll
                for (int e = 0; e < 2; e++) {
                    f32& x = s[i][j][2 * h + e];
                    int at = key + 8 * j + 2 * t + e;
                    x = plain ? x * attention.scale : attention.score(x, slope, position, at);
                    if (!whole)
                        x = index < rows.count && attention.seen.sees(position, at) ? x : minus_infinity();
                }
        }
}

// The tile of keys after `tile`: between the sinks and the window nobody looks.
DEV int next_tile(const Attention& attention, const TileRows& rows, int tile)
{
    int least = attention.seen.window > 0 ? rows.first - attention.seen.window + 1 : 0;
    int first = least > 0 ? least / tile_keys : 0;
    tile++;
    return tile * tile_keys < attention.seen.sinks || tile >= first ? tile : first;
}

template <int D, class T>
DEV void copy_tile(u32 shared, const T* pool, const i32* table, const KvShape& shape, int layer, int head, const Attention& attention,
    const TileRows& rows, int key)
{
    int last = rows.first + rows.count - 1, lane = (int)threadIdx.x;
#pragma unroll
    for (int i = 0; i < 2; i++, key += block_tokens, shared += (u32)Tile<D>::bytes) {
        bool seen = attention.seen.any(rows.first, last, key, key + block_tokens - 1);
        const T* block = seen ? pool + shape.head_offset(table[key / block_tokens], layer, head) : pool;
        if (seen)
            copy_keys<D, 128>(shared, block, lane);
        copy_values<D, 128>(shared + (u32)Tile<D>::key_bytes, block + D * block_tokens, seen ? last + 1 - key : 0, lane);
    }
    copy_async_commit();
}

template <int D, class T>
DEV void store(PrefillWarp<D, T>& warp, f32* target, i64 row_elements, const TileRows& rows, int row)
{
    int g = (int)threadIdx.x % warp_size / 4, t = (int)threadIdx.x % 4;
#pragma unroll
    for (int i = 0; i < PrefillWarp<D, T>::m; i++)
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int index = row + 16 * i + g + 8 * h;
            f32 factor = divide(1.0f, quad_sum(warp.state[i].sum[h]));
            if (index >= rows.count)
                continue;
#pragma unroll
            for (int j = 0; j < D / 8; j++)
                *(u2*)(target + index * row_elements + 8 * j + 2 * t) =
                    u2{bits_of(warp.o[i][j][2 * h] * factor), bits_of(warp.o[i][j][2 * h + 1] * factor)};
        }
}

template <int D, class T>
DEV void prefill(const f32* queries, const T* pool, const KvSpan& span, const i32* table, int first, f32* target, int layer, int heads,
    const KvShape& shape, const Attention& attention)
{
    DYNAMIC_SHARED(shared);
    constexpr int m = PrefillWarp<D, T>::m, rows_max = 64 * m, stage = 2 * Tile<D>::bytes;
    int head = (int)blockIdx.y, kv_head = head / (heads / shape.kv_heads), row = (int)threadIdx.x / warp_size * 16 * m;
    TileRows rows{span.start + first, span.rows - first < rows_max ? span.rows - first : rows_max};
    i64 row_elements = (i64)heads * D, at = (i64)(span.first_row + first) * row_elements + head * D;
    u32 query_tile = shared_address(shared), tiles = query_tile + rows_max * Tile<D>::query_row;
    int last = rows.first + rows.count - 1;
    int tile = next_tile(attention, rows, -1);
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
        tile = next_tile(attention, rows, tile);
        if (tile * tile_keys <= last)
            copy_tile<D>(tiles + (u32)((buffer ^ 1) * stage), pool, table, shape, layer, kv_head, attention, rows, tile * tile_keys);
        else
            copy_async_commit();
        copy_async_wait<1>();
        block_barrier();
        if (row < rows.count && attention.seen.any(warp_first, warp_last, key, key + tile_keys - 1)) {
            f32 s[m][tile_keys / 8][4];
            u32 current = tiles + (u32)(buffer * stage);
            bool whole = row + 16 * m <= rows.count && key + tile_keys - 1 <= warp_first
                && (attention.seen.window == 0 || key > warp_last - attention.seen.window);
            warp.scores(s, query_tile, row, current);
            finish_scores(s, attention, slope, rows, row, key, whole);
#pragma unroll
            for (int i = 0; i < m; i++)
                soften(warp.state[i], s[i], warp.o[i]);
            warp.add_values(s, current);
        }
        block_barrier();
    }
    store(warp, target + at, row_elements, rows, row);
}

#define PREFILL(T, D) \
    KERNEL(attend_prefill_##T##_##D, 128, (const f32* queries, const T* pool, const KvSpan* spans, const i32* tables, \
        const i32* tiles, f32* target, i32 layer, i32 layers, i32 heads, i32 kv_heads, i32 head_dim, i32 value_stride, f32 scale, \
        i32 window, f32 soft_cap, i32 sinks, const f32* slopes), \
        { \
            KvSpan span = spans[tiles[2 * blockIdx.x]]; \
            prefill<D, T>(queries, pool, span, tables + span.table, tiles[2 * blockIdx.x + 1], target, layer, heads, \
                KvShape{layers, kv_heads, D, Tile<D>::value_stride}, \
                Attention{scale, soft_cap, Visibility{window, sinks}, slopes}); \
        })
PREFILL(bf16, 64) PREFILL(bf16, 80) PREFILL(bf16, 96) PREFILL(bf16, 128) PREFILL(bf16, 256)
PREFILL(f16, 64) PREFILL(f16, 80) PREFILL(f16, 96) PREFILL(f16, 128) PREFILL(f16, 256)
