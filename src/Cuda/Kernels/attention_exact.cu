// Attention by plain f32 multiply-adds over the paged cache, for every type and head size up to 256: what the fast kernels are
// compared with, and what runs where they do not apply. T (f32, bf16, f16) is the cache's type. Blocks of 128 threads.
//
// Keys are cut in parts of 256 positions that start from nothing and are merged in ascending order, in decode and in prefill
// alike: a row's result depends on its position and on what it sees, never on the batch or on how a prompt was cut.
//
// attend_decode_T   (const f32* queries, const T* pool, const KvSpan* spans, const i32* tables, const i32* members, f32*
//                    partials, i32 parts, i32 layer, i32 layers, i32 heads, i32 kv_heads, i32 head_dim, i32 value_stride, f32
//                    scale, i32 window, f32 soft_cap, i32 sinks, const f32* slopes)
//                   Sequences of one new row. Block (part, kv head, sequence) writes, for every query head of the group,
//                   partials[sequence][head][part] = headDim weighted values, maximum, sum; parts that the row does not see are
//                   not written. members[sequence] names the span, null: all. slopes: ALiBi's, one per head, or null: scores get
//                   slope * (key - position). Grid: (parts, kv_heads, sequences).
// attend_merge      (const f32* partials, const KvSpan* spans, const i32* members, f32* target, i32 parts, i32 heads, i32
//                    head_dim, i32 window, i32 sinks)
//                   target[row][head] = merged values / merged sum. Grid: (heads, sequences).
// attend_prefill_T  (const f32* queries, const T* pool, const KvSpan* spans, const i32* tables, const i32* tiles, f32* target,
//                    i32 layer, i32 layers, i32 heads, i32 kv_heads, i32 head_dim, i32 value_stride, f32 scale, i32 window,
//                    f32 soft_cap, i32 sinks, const f32* slopes)
//                   tiles: (span, first row of the tile in the span) pairs; a tile has 64 rows or what is left.
//                   Grid: (tiles, heads).
#include "kv.cuh"

constexpr int chunk_rows = 4;  // query rows that share a pass over a part's keys
constexpr int tile_rows = 64;
constexpr int threads = 128;
constexpr int head_dim_max = 256;
constexpr int lane_dims = head_dim_max / threads;

template <class T> struct Cache
{
    const T* pool;
    const i32* table;
    KvShape shape;
    int layer, head;

    DEV const T* keys(int position) const { return pool + shape.head_offset(table[position / block_tokens], layer, head); }
};

struct Scores
{
    f32 scale, soft_cap;
    Visibility seen;

    DEV f32 of(f32 product, f32 slope, int position, int key) const
    {
        f32 s = fused(slope, (f32)(key - position), product * scale);
        if (soft_cap > 0)
            s = soft_cap * hyperbolic_tangent(divide(s, soft_cap));
        return seen.sees(position, key) ? s : minus_infinity();
    }
};

// Up to four query rows: where they stand and what of them is in shared memory.
struct Chunk
{
    f32 queries[chunk_rows][head_dim_max];
    f32 scores[chunk_rows][part_tokens];
    f32 maxima[chunk_rows], sums[chunk_rows];
};

struct Rows
{
    int count, position[chunk_rows];
    f32 slope[chunk_rows];
};

// Scores, their maximum and the sum of their exponentials, which take the scores' place.
template <class T> DEV void weigh(const Cache<T>& cache, const Scores& scores, const Rows& rows, int part, Chunk& chunk)
{
    int last = 0;
#pragma unroll
    for (int r = 0; r < chunk_rows; r++)
        last = r < rows.count && rows.position[r] > last ? rows.position[r] : last;
    for (int i = (int)threadIdx.x; i < part_tokens; i += threads) {
        int key = part * part_tokens + i;
        f32 sums[chunk_rows] = {};
        if (key <= last && scores.seen.any(0, last, key, key)) {
            const T* k = cache.keys(key) + key % block_tokens;
            for (int d = 0; d < cache.shape.head_dim; d++) {
                f32 x = widen(k[d * block_tokens]);
#pragma unroll
                for (int r = 0; r < chunk_rows; r++)
                    sums[r] = fused(x, chunk.queries[r][d], sums[r]);
            }
        }
#pragma unroll
        for (int r = 0; r < chunk_rows; r++)
            chunk.scores[r][i] = r < rows.count ? scores.of(sums[r], rows.slope[r], rows.position[r], key) : minus_infinity();
    }
    block_barrier();
    int row = (int)threadIdx.x / warp_size, lane = (int)threadIdx.x % warp_size;
    f32 max = minus_infinity(), sum = 0;
    for (int i = lane; i < part_tokens; i += warp_size)
        max = larger(max, chunk.scores[row][i]);
    max = warp_max(max);
    for (int i = lane; i < part_tokens; i += warp_size) {
        f32 p = max == minus_infinity() ? 0.0f : exponential(chunk.scores[row][i] - max);
        chunk.scores[row][i] = p;
        sum += p;
    }
    chunk.maxima[row] = max;
    chunk.sums[row] = warp_sum(sum);
    block_barrier();
}

// Weighted values: thread i holds dimensions i and i + 128 of every row.
template <class T>
DEV void weighted_values(const Cache<T>& cache, int part, int to, const Chunk& chunk, f32 (&values)[chunk_rows][lane_dims])
{
    for (int i = 0; i < to; i++) {
        bool any = false;
        f32 p[chunk_rows];
#pragma unroll
        for (int r = 0; r < chunk_rows; r++) {
            p[r] = chunk.scores[r][i];
            any |= p[r] != 0;
        }
        if (!any)
            continue;
        int key = part * part_tokens + i;
        const T* v = cache.keys(key) + cache.shape.key_elements() + key % block_tokens * cache.shape.value_stride;
#pragma unroll
        for (int j = 0; j < lane_dims; j++) {
            int d = (int)threadIdx.x + j * threads;
            f32 x = d < cache.shape.head_dim ? widen(v[d]) : 0.0f;
#pragma unroll
            for (int r = 0; r < chunk_rows; r++)
                values[r][j] = fused(p[r], x, values[r][j]);
        }
    }
}

DEV int part_end(int last, int part)
{
    int keys = last + 1 - part * part_tokens;
    return keys < part_tokens ? keys : part_tokens;
}

template <class T>
DEV void decode(const f32* queries, const Cache<T>& cache, const KvSpan& span, f32* partials, int parts, int heads,
    const Scores& scores, const f32* slopes)
{
    SHARED(Chunk, chunk);
    int part = (int)blockIdx.x, group = heads / cache.shape.kv_heads, width = cache.shape.head_dim;
    if (!scores.seen.any(span.start, span.start, part * part_tokens, part * part_tokens + part_tokens - 1))
        return;
    for (int first = cache.head * group; first < (cache.head + 1) * group; first += chunk_rows) {
        Rows rows;
        rows.count = (cache.head + 1) * group - first < chunk_rows ? (cache.head + 1) * group - first : chunk_rows;
#pragma unroll
        for (int r = 0; r < chunk_rows; r++) {
            bool real = r < rows.count;
            rows.position[r] = span.start;
            rows.slope[r] = real && slopes ? slopes[first + r] : 0.0f;
            for (int d = (int)threadIdx.x; d < width; d += threads)
                chunk.queries[r][d] = real ? queries[((i64)span.first_row * heads + first + r) * width + d] : 0.0f;
        }
        block_barrier();
        weigh(cache, scores, rows, part, chunk);
        f32 values[chunk_rows][lane_dims] = {};
        weighted_values(cache, part, part_end(span.start, part), chunk, values);
#pragma unroll
        for (int r = 0; r < chunk_rows; r++) {
            f32* state = partials + (((i64)blockIdx.z * heads + first + r) * parts + part) * (width + 2);
            if (r >= rows.count)
                continue;
#pragma unroll
            for (int j = 0; j < lane_dims; j++)
                if ((int)threadIdx.x + j * threads < width)
                    state[(int)threadIdx.x + j * threads] = values[r][j];
            if (threadIdx.x == 0) {
                state[width] = chunk.maxima[r];
                state[width + 1] = chunk.sums[r];
            }
        }
        block_barrier();
    }
}

template <class T>
DEV void prefill(const f32* queries, const Cache<T>& cache, const KvSpan& span, int first, f32* target, int heads,
    const Scores& scores, const f32* slopes)
{
    SHARED(Chunk, chunk);
    int head = (int)blockIdx.y, width = cache.shape.head_dim;
    int end = first + tile_rows < span.rows ? first + tile_rows : span.rows;
    for (; first < end; first += chunk_rows) {
        Rows rows;
        rows.count = end - first < chunk_rows ? end - first : chunk_rows;
        i64 at = ((i64)(span.first_row + first) * heads + head) * width;
#pragma unroll
        for (int r = 0; r < chunk_rows; r++) {
            rows.position[r] = span.start + first + r;
            rows.slope[r] = slopes ? slopes[head] : 0.0f;
            for (int d = (int)threadIdx.x; d < width; d += threads)
                chunk.queries[r][d] = r < rows.count ? queries[at + (i64)r * heads * width + d] : 0.0f;
        }
        block_barrier();
        int last = span.start + first + rows.count - 1;
        f32 max[chunk_rows], sum[chunk_rows] = {}, values[chunk_rows][lane_dims] = {};
#pragma unroll
        for (int r = 0; r < chunk_rows; r++)
            max[r] = minus_infinity();
        for (int part = 0; part * part_tokens <= last; part++) {
            if (!scores.seen.any(span.start + first, last, part * part_tokens, part * part_tokens + part_tokens - 1))
                continue;
            weigh(cache, scores, rows, part, chunk);
            f32 some[chunk_rows][lane_dims] = {};
            weighted_values(cache, part, part_end(last, part), chunk, some);
#pragma unroll
            for (int r = 0; r < chunk_rows; r++) {
                if (chunk.maxima[r] == minus_infinity())
                    continue;
                f32 most = larger(max[r], chunk.maxima[r]);
                f32 keep = exponential(max[r] - most), add = exponential(chunk.maxima[r] - most);
                max[r] = most;
                sum[r] = sum[r] * keep + chunk.sums[r] * add;
#pragma unroll
                for (int j = 0; j < lane_dims; j++)
                    values[r][j] = values[r][j] * keep + some[r][j] * add;
            }
            block_barrier();
        }
#pragma unroll
        for (int r = 0; r < chunk_rows; r++)
#pragma unroll
            for (int j = 0; j < lane_dims; j++)
                if (r < rows.count && (int)threadIdx.x + j * threads < width)
                    target[at + (i64)r * heads * width + (int)threadIdx.x + j * threads] = divide(values[r][j], sum[r]);
    }
}

DEV void merge(const f32* partials, const KvSpan& span, f32* target, int parts, int heads, int width, const Visibility& seen)
{
    int head = (int)blockIdx.x;
    const f32* states = partials + ((i64)blockIdx.y * heads + head) * parts * (width + 2);
    f32 max = minus_infinity(), sum = 0, values[lane_dims] = {};
    for (int part = 0; part * part_tokens <= span.start; part++) {
        if (!seen.any(span.start, span.start, part * part_tokens, part * part_tokens + part_tokens - 1))
            continue;
        const f32* state = states + (i64)part * (width + 2);
        f32 most = larger(max, state[width]);
        f32 keep = exponential(max - most), add = exponential(state[width] - most);
        max = most;
        sum = sum * keep + state[width + 1] * add;
#pragma unroll
        for (int j = 0; j < lane_dims; j++)
            if ((int)threadIdx.x + j * threads < width)
                values[j] = values[j] * keep + state[(int)threadIdx.x + j * threads] * add;
    }
#pragma unroll
    for (int j = 0; j < lane_dims; j++)
        if ((int)threadIdx.x + j * threads < width)
            target[((i64)span.first_row * heads + head) * width + (int)threadIdx.x + j * threads] = divide(values[j], sum);
}

#define ATTEND(T) \
    KERNEL(attend_decode_##T, 128, (const f32* queries, const T* pool, const KvSpan* spans, const i32* tables, \
        const i32* members, \
        f32* partials, i32 parts, i32 layer, i32 layers, i32 heads, i32 kv_heads, i32 head_dim, i32 value_stride, f32 scale, \
        i32 window, f32 soft_cap, i32 sinks, const f32* slopes), \
        { \
            KvSpan span = spans[members ? members[blockIdx.z] : (i32)blockIdx.z]; \
            Cache<T> cache{pool, tables + span.table, KvShape{layers, kv_heads, head_dim, value_stride}, layer, \
                (int)blockIdx.y}; \
            decode(queries, cache, span, partials, parts, heads, Scores{scale, soft_cap, Visibility{window, sinks}}, slopes); \
        }) \
    KERNEL(attend_prefill_##T, 128, (const f32* queries, const T* pool, const KvSpan* spans, const i32* tables, \
        const i32* tiles, \
        f32* target, i32 layer, i32 layers, i32 heads, i32 kv_heads, i32 head_dim, i32 value_stride, f32 scale, i32 window, \
        f32 soft_cap, i32 sinks, const f32* slopes), \
        { \
            KvSpan span = spans[tiles[2 * blockIdx.x]]; \
            Cache<T> cache{pool, tables + span.table, KvShape{layers, kv_heads, head_dim, value_stride}, layer, \
                (int)blockIdx.y / (heads / kv_heads)}; \
            prefill(queries, cache, span, tiles[2 * blockIdx.x + 1], target, heads, \
                Scores{scale, soft_cap, Visibility{window, sinks}}, slopes); \
        })
ATTEND(f32)
ATTEND(bf16)
ATTEND(f16)

KERNEL(attend_merge, 128, (const f32* partials, const KvSpan* spans, const i32* members, f32* target, i32 parts, i32 heads,
    i32 head_dim, i32 window, i32 sinks),
{
    KvSpan span = spans[members ? members[blockIdx.y] : (i32)blockIdx.y];
    merge(partials, span, target, parts, heads, head_dim, Visibility{window, sinks});
})
