// Rotary embedding and what goes into and out of the KV blocks. Blocks of 128 threads.
//
// rope              (f32* queries, f32* keys, const f32* cosines, const f32* sines, i32 query_heads, i32 key_heads, i32 head_dim,
//                    i32 half, i32 stride)
//                   Turns pairs (i, i + half) of every head in place; cosines and sines are [rows, stride]. Grid: rows.
// rope_interleaved  The same with pairs (2i, 2i + 1).
// kv_write_T        (const f32* keys, const f32* values, T* pool, const i32* slots, i32 layer, i32 layers, i32 kv_heads,
//                    i32 head_dim, i32 value_stride)
//                   slots[row] = block * 32 + place, below 0: row is skipped. Padding of values is zeroed. Grid: rows.
// kv_export_T       (const T* pool, const i32* blocks, T* compact, i32 block_count, i32 tokens, i32 layers, i32 kv_heads,
//                    i32 head_dim, i32 value_stride)
//                   Blocks to the compact form of KvPool.Export, behind one another: all 32 positions, of the last block
//                   `tokens`. T is f32 for 4 bytes, f16 for any 2. Grid: (layers * kv_heads, block_count).
// kv_import_T       (T* pool, const i32* blocks, const T* compact, ...) the reverse; other positions are left as they were.
// kv_copy           (u4* pool, const i32* from, const i32* to, i64 block_bytes)  whole blocks. Grid: (any, pairs).
#include "kv.cuh"

template <bool interleaved>
DEV void turn(f32* row, const f32* cosines, const f32* sines, int heads, int head_dim, int half)
{
    for (int i = (int)threadIdx.x; i < heads * half; i += (int)blockDim.x) {
        int pair = i % half;
        f32* head = row + i / half * head_dim;
        f32* first = head + (interleaved ? 2 * pair : pair);
        f32* second = head + (interleaved ? 2 * pair + 1 : pair + half);
        f32 a = *first, b = *second, c = cosines[pair], s = sines[pair];
        *first = a * c - b * s;
        *second = b * c + a * s;
    }
}

template <bool interleaved>
DEV void rotate(f32* queries, f32* keys, const f32* cosines, const f32* sines, int query_heads, int key_heads, int head_dim,
    int half,
    int stride)
{
    i64 row = blockIdx.x;
    turn<interleaved>(queries + row * query_heads * head_dim, cosines + row * stride, sines + row * stride, query_heads,
        head_dim, half);
    turn<interleaved>(keys + row * key_heads * head_dim, cosines + row * stride, sines + row * stride, key_heads, head_dim, half);
}

#define ROPE(name, interleaved) \
    KERNEL(name, 128, (f32* queries, f32* keys, const f32* cosines, const f32* sines, i32 query_heads, i32 key_heads, \
        i32 head_dim, \
        i32 half, i32 stride), \
        { rotate<interleaved>(queries, keys, cosines, sines, query_heads, key_heads, head_dim, half, stride); })
ROPE(rope, false)
ROPE(rope_interleaved, true)

template <class T> DEV void kv_write(const f32* keys, const f32* values, T* pool, const i32* slots, int layer,
    const KvShape& shape)
{
    int slot = slots[blockIdx.x];
    if (slot < 0)
        return;
    int block = slot / block_tokens, place = slot % block_tokens, width = shape.head_dim;
    i64 row = (i64)blockIdx.x * shape.kv_heads * width;
    for (int i = (int)threadIdx.x; i < shape.kv_heads * shape.value_stride; i += (int)blockDim.x) {
        int head = i / shape.value_stride, d = i % shape.value_stride;
        T* target = pool + shape.head_offset(block, layer, head);
        bool real = d < width;
        if (real)
            target[d * block_tokens + place] = narrow<T>(keys[row + head * width + d]);
        target[shape.key_elements() + place * shape.value_stride + d] = narrow<T>(real ? values[row + head * width + d] : 0.0f);
    }
}

#define KV_WRITE(T) \
    KERNEL(kv_write_##T, 128, (const f32* keys, const f32* values, T* pool, const i32* slots, i32 layer, i32 layers, \
        i32 kv_heads, \
        i32 head_dim, i32 value_stride), \
        { kv_write(keys, values, pool, slots, layer, KvShape{layers, kv_heads, head_dim, value_stride}); })
KV_WRITE(f32)
KV_WRITE(bf16)
KV_WRITE(f16)

// Calls f(place in the block, place in the compact form, elements that go together) for one head of one block; elements go
// together by 16 bytes where a whole block's rows do.
template <class T, class F> DEV void compact(const i32* blocks, int block_count, int tokens, const KvShape& shape, F f)
{
    int index = (int)blockIdx.y, heads = shape.layers * shape.kv_heads, head = (int)blockIdx.x;
    int count = index == block_count - 1 ? tokens : block_tokens;
    i64 base = ((i64)blocks[index] * heads + head) * shape.head_elements();
    i64 head_elements = 2 * (i64)shape.head_dim * count;
    i64 target = (i64)index * heads * 2 * shape.head_dim * block_tokens + head * head_elements;
    int vector = count == block_tokens && shape.head_dim % 8 == 0 ? 16 / (int)sizeof(T) : 1;
    int elements = shape.head_dim * count;
    for (int i = (int)threadIdx.x * vector; i < elements; i += (int)blockDim.x * vector) {
        f(base + i / count * block_tokens + i % count, target + i, vector);
        f(base + shape.key_elements() + (i64)(i / shape.head_dim) * shape.value_stride + i % shape.head_dim,
            target + elements + i,
            vector);
    }
}

template <class T> DEV void move(T* to, const T* from, int elements)
{
    if (elements == 1)
        *to = *from;
    else
        *(u4*)to = *(const u4*)from;
}

#define KV_MOVE(T) \
    KERNEL(kv_export_##T, 128, (const T* pool, const i32* blocks, T* target, i32 block_count, i32 tokens, i32 layers, \
        i32 kv_heads, \
        i32 head_dim, i32 value_stride), \
        { compact<T>(blocks, block_count, tokens, KvShape{layers, kv_heads, head_dim, value_stride}, \
            [&](i64 at, i64 to, int n) { move(target + to, pool + at, n); }); }) \
    KERNEL(kv_import_##T, 128, (T* pool, const i32* blocks, const T* source, i32 block_count, i32 tokens, i32 layers, \
        i32 kv_heads, \
        i32 head_dim, i32 value_stride), \
        { compact<T>(blocks, block_count, tokens, KvShape{layers, kv_heads, head_dim, value_stride}, \
            [&](i64 at, i64 from, int n) { move(pool + at, source + from, n); }); })
KV_MOVE(f32)
KV_MOVE(f16)

KERNEL(kv_copy, 128, (u4* pool, const i32* from, const i32* to, i64 block_bytes),
{
    i64 count = block_bytes / 16;
    const u4* source = pool + from[blockIdx.y] * count;
    u4* target = pool + to[blockIdx.y] * count;
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x)
        target[i] = source[i];
})
