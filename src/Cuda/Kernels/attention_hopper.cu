// Flash attention of prompts on Hopper's tensor cores (after Shah et al. 2024, FlashAttention-3): wgmma reads queries, keys and
// values from shared memory itself, so nothing is loaded into registers but scores.
//
// attend_prefill_T_D_hopper   for T bf16, f16 and head sizes D 64, 128, 256 on sm_90a; parameters and grid as attend_prefill_T of
//                             attention_exact.cu, tiles of 128 rows. 256 threads,
//                             shared memory: 256 D + 8 D (tile keys) bytes, tile keys 128 (D = 256: 64).
//
// Two warpgroups of 64 rows share tiles of 128 keys (D = 256: 64), the next one on its way (cp.async, two buffers): while one is
// at its softmax the other has the tensor cores. At D = 128: 160 KiB, a block on a multiprocessor; 64 registers of output, 64 of
// scores and 32 of weights. Cache blocks have keys across, [D][32], and values [32][D]: both are right factors with their columns
// along the rows, which wgmma takes for 16-bit types.
#include "attention_prefill.cuh"
#include "wgmma.cuh"

template <int D> struct Hopper
{
    static constexpr int keys = D > 128 ? 64 : 128, rows = 128;
    static constexpr int key_bytes = D * keys * 2, stage = 2 * key_bytes, query_bytes = rows * D * 2;

    // Slabs of 64 columns: rows of 128 bytes.
    DEV static int place(int slab_rows, int row, int chunk)
    {
        return (chunk / 8 * slab_rows + row) * 128 + ((chunk ^ row) & 7) * 16;
    }
};

// Keys as [keys / 64][D][64], values as [D / 64][keys][64]; values that nobody may see are zeros.
template <int D>
DEV void copy_tile(u32 shared, const u8* pool, const i32* table, const KvShape& shape, int layer, int head,
    const Attention& attention,
    const TileRows& rows, int key)
{
    using H = Hopper<D>;
    int lane = (int)threadIdx.x, last = rows.last();
#pragma unroll
    for (int i = 0; i < H::keys / block_tokens; i++) {
        int first = key + i * block_tokens;
        bool seen = attention.seen.any(rows.first, last, first, first + block_tokens - 1);
        const u8* block = seen ? pool + 2 * shape.head_offset(table[first / block_tokens], layer, head) : pool;
        if (seen)
#pragma unroll
            for (int n = 0; n < D * 4 / 256; n++) {
                int at = n * 256 + lane;
                copy_async(shared + (u32)H::place(D, at / 4, 4 * i + at % 4), block + at * 16, 16);
            }
#pragma unroll
        for (int n = 0; n < D * 4 / 256; n++) {
            int at = n * 256 + lane, row = at / (D / 8);
            copy_async(shared + (u32)(H::key_bytes + H::place(H::keys, i * block_tokens + row, at % (D / 8))),
                block + D * block_tokens * 2 + at * 16, seen && first + row <= last ? 16 : 0);
        }
    }
    copy_async_commit();
}

template <int D, class T> DEV void store_queries(u8* shared, const f32* queries, i64 row_elements, const TileRows& rows)
{
    constexpr int row_threads = 8;
    for (int r = (int)threadIdx.x / row_threads; r < Hopper<D>::rows; r += 256 / row_threads) {
        u8* group = shared + r / 64 * 64 * D * 2;
        for (int c = (int)threadIdx.x % row_threads; c < D / 8; c += row_threads) {
            f32 x[8] = {};
            if (r < rows.count)
                load8(queries + r * row_elements + c * 8, x);
            store8((T*)(group + Hopper<D>::place(64, r % 64, c)), x);
        }
    }
}

// One tile of keys for one warpgroup.
template <int D, class T>
DEV void attend_tile(f32 (&o)[D / 8][4], Softmax& state, u32 queries, u32 tile, const Attention& attention, f32 slope,
    const TileRows& rows, int row, int key)
{
    using H = Hopper<D>;
    f32 s[H::keys / 8][4];
    group_begin();
#pragma unroll
    for (int k = 0; k < D / 16; k++)
        group_multiply(s, left_factor(queries + (u32)(k / 4 * 64 * 128 + k % 4 * 32)),
            right_factor(tile + (u32)k * 2048, (u32)D * 128), k > 0, T());
    group_commit();
    group_wait();
    settle(s);
    int group_row = row / 64 * 64;
    finish_scores(s, attention, slope, rows, row, key, sees_whole(attention, rows, group_row, 64, key, H::keys));
    soften(state, s, o);
    u32 weights[H::keys / 16][4];
#pragma unroll
    for (int k = 0; k < H::keys / 16; k++)
        as_left<T>(weights[k], s[2 * k], s[2 * k + 1]);
    settle(o);
    settle(weights);
    group_begin();
#pragma unroll
    for (int k = 0; k < H::keys / 16; k++)
        group_multiply(o, weights[k], right_factor(tile + (u32)(H::key_bytes + k * 2048), (u32)H::keys * 128), T());
    group_commit();
    group_wait();
    settle(o);
    settle(weights);
}

template <int D, class T>
DEV void prefill(const f32* queries, const u8* pool, const KvSpan& span, const i32* table, int first, f32* target, int layer,
    int heads,
    const KvShape& shape, const Attention& attention)
{
    using H = Hopper<D>;
    DYNAMIC_SHARED(shared);
    int head = (int)blockIdx.y, kv_head = head / (heads / shape.kv_heads), row = (int)threadIdx.x / warp_size * 16;
    TileRows rows{span.start + first, span.rows - first < H::rows ? span.rows - first : H::rows};
    i64 row_elements = (i64)heads * D, at = (i64)(span.first_row + first) * row_elements + head * D;
    u32 tiles = shared_address(shared) + H::query_bytes, own_queries = shared_address(shared) + (u32)(row / 64 * 64 * D * 2);
    int tile = next_tile<H::keys>(attention, rows, -1), last = rows.last();
    copy_tile<D>(tiles, pool, table, shape, layer, kv_head, attention, rows, tile * H::keys);
    store_queries<D, T>(shared, queries + at, row_elements, rows);
    f32 o[D / 8][4], slope = attention.slopes ? attention.slopes[head] : 0.0f;
    Softmax state;
    state.clear();
#pragma unroll
    for (int j = 0; j < D / 8; j++)
        o[j][0] = o[j][1] = o[j][2] = o[j][3] = 0;
    int group_first = rows.first + row / 64 * 64, group_last = group_first + 63 < last ? group_first + 63 : last;
    for (int buffer = 0; tile * H::keys <= last; buffer ^= 1) {
        int key = tile * H::keys;
        tile = next_tile<H::keys>(attention, rows, tile);
        if (tile * H::keys <= last)
            copy_tile<D>(tiles + (u32)((buffer ^ 1) * H::stage), pool, table, shape, layer, kv_head, attention, rows,
                tile * H::keys);
        else
            copy_async_commit();
        copy_async_wait<1>();
        shared_to_products();
        block_barrier();
        if (group_first <= last && attention.seen.any(group_first, group_last, key, key + H::keys - 1))
            attend_tile<D, T>(o, state, own_queries, tiles + (u32)(buffer * H::stage), attention, slope, rows, row, key);
        block_barrier();
    }
    store(o, state, target + at, row_elements, rows, row);
}

#define PREFILL_OF(T, D) PREFILL(attend_prefill_##T##_##D##_hopper, 256, (prefill<D, T>))
PREFILL_OF(bf16, 64) PREFILL_OF(bf16, 128) PREFILL_OF(bf16, 256)
PREFILL_OF(f16, 64) PREFILL_OF(f16, 128) PREFILL_OF(f16, 256)
