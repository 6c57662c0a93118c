// What the attentions of prompts share: which keys a tile of rows sees, its scores, its results.
#pragma once
#include "attention.cuh"

// Rows of a tile: their positions from `first` on, of which `count` are there.
struct TileRows
{
    int first, count;

    DEV int last() const { return first + count - 1; }
};

// From products to scores of a thread's two rows of 16, from row `row` of the tile on, and keys from `key` on; `whole`: both see
// all.
template <int n>
DEV void finish_scores(f32 (&s)[n][4], const Attention& attention, f32 slope, const TileRows& rows, int row, int key, bool whole)
{
    int g = (int)threadIdx.x % warp_size / 4, t = (int)threadIdx.x % 4;
    bool plain = attention.soft_cap == 0 && slope == 0;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int index = row + g + 8 * h, position = rows.first + index;
#pragma unroll
        for (int j = 0; j < n; j++)
#pragma unroll
            for (int e = 0; e < 2; e++) {
                f32& x = s[j][2 * h + e];
                int at = key + 8 * j + 2 * t + e;
                x = plain ? x * attention.scale : attention.score(x, slope, position, at);
                if (!whole)
                    x = index < rows.count && attention.seen.sees(position, at) ? x : minus_infinity();
            }
    }
}

// Whether `count` rows from `row` of the tile on all are there and see all of `keys` keys from `key` on.
DEV bool sees_whole(const Attention& attention, const TileRows& rows, int row, int count, int key, int keys)
{
    return row + count <= rows.count && key + keys - 1 <= rows.first + row
        && (attention.seen.window == 0 || key > rows.first + row + count - 1 - attention.seen.window);
}

// The tile of keys after `tile`: between the sinks and the window nobody looks.
template <int keys> DEV int next_tile(const Attention& attention, const TileRows& rows, int tile)
{
    int least = attention.seen.window > 0 ? rows.first - attention.seen.window + 1 : 0;
    int first = least > 0 ? least / keys : 0;
    tile++;
    return tile * keys < attention.seen.sinks || tile >= first ? tile : first;
}

// Writes a thread's two rows of 16.
template <int n> DEV void store(const f32 (&o)[n][4], const Softmax& state, f32* target, i64 row_elements, const TileRows& rows,
    int row)
{
    int g = (int)threadIdx.x % warp_size / 4, t = (int)threadIdx.x % 4;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int index = row + g + 8 * h;
        f32 factor = divide(1.0f, quad_sum(state.sum[h]));
        if (index >= rows.count)
            continue;
#pragma unroll
        for (int j = 0; j < n; j++)
            *(u2*)(target + index * row_elements + 8 * j + 2 * t) = u2{bits_of(o[j][2 * h] * factor),
                bits_of(o[j][2 * h + 1] * factor)};
    }
}

#define PREFILL(name, threads, prefill) \
    KERNEL_OCCUPIED(name, threads, 1, (const f32* queries, const u8* pool, const KvSpan* spans, const i32* tables, \
        const i32* tiles, f32* target, i32 layer, i32 layers, i32 heads, i32 kv_heads, i32 head_dim, i32 value_stride, \
        f32 scale, \
        i32 window, f32 soft_cap, i32 sinks, const f32* slopes), \
        { \
            KvSpan span = spans[tiles[2 * blockIdx.x]]; \
            prefill(queries, pool, span, tables + span.table, tiles[2 * blockIdx.x + 1], target, layer, heads, \
                KvShape{layers, kv_heads, head_dim, value_stride}, Attention{scale, soft_cap, Visibility{window, sinks}, \
                slopes}); \
        })
