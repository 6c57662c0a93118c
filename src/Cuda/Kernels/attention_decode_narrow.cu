// Flash-decoding over keys and values of 8 bits with a scale per position and head; the products are of bf16.
//
// kv_write_q8, kv_write_f8   (const f32* keys, const f32* values, u8* pool, const i32* slots, i32 layer, i32 layers, i32
//                             kv_heads, i32 head_dim, i32 value_stride)  as kv_write_T. q8: signed bytes, scale = largest / 127,
//                             as KvInt8; f8: e4m3, scale = largest / 448. Grid: rows, 128 threads.
// attend_decode_q8_D, attend_decode_f8_D   for D 64, 80, 96, 128, 256: parameters and grid as attend_decode_T. 128 threads,
//                             shared memory: 32 D + 1024 + 128 (D + value_stride) bytes.
//
// The pool: [block][layer][kvHead] of 32 f32 scales of keys, keys [headDim][32] bytes, 32 f32 scales of values, values
// [32][value_stride] bytes: KvInt8's order. Half the bytes of bf16 and 8 / D of scales.
//
// ldmatrix moves pairs of bytes: transposed it gives a lane two keys (or dimensions) of two neighbouring rows. Even and odd ones
// become two right factors, so tile j of the scores has keys 16 (j / 2) + 2 c + j % 2 in column c, and values are loaded in that
// order of rows. About two operations an element widen them, less than a third of what the bandwidth leaves time for.
#include "attention_decode.cuh"

// Four bytes as the pairs (0, 2) and (1, 3) of bf16. 2^23 + 128 + q is a float whose low byte is q + 128.
DEV void widen_pairs(u32 q, u32& even, u32& odd, i8)
{
    u32 shifted = q ^ 0x80808080;
    f32 x[4];
#pragma unroll
    for (int i = 0; i < 4; i++)
        x[i] = from_bits(pick_bytes(shifted, 0x4b000000, 0x7440 + (u32)i)) - 8388736.0f;
    even = pack_bf16(x[0], x[2]), odd = pack_bf16(x[1], x[3]);
}

// The bits of an f8 four places up are a bf16 of 2^-120 times the value.
DEV void widen_pairs(u32 q, u32& even, u32& odd, f8)
{
    constexpr u32 power_120 = 0x7b807b80, minus_zero = 0x80008000;
    u32 high = q >> 8;
    even = fused_pairs_bf16((q & 0x00800080) << 8 | (q & 0x007f007f) << 4, power_120, minus_zero);
    odd = fused_pairs_bf16((high & 0x00800080) << 8 | (high & 0x007f007f) << 4, power_120, minus_zero);
}

template <int width, class S> struct Narrow
{
    static constexpr int D = width, value_row = Tile<D>::value_stride, scale_bytes = block_tokens * 4;
    static constexpr int keys_at = scale_bytes, scales_at = keys_at + D * block_tokens, values_at = scales_at + scale_bytes;
    static constexpr int bytes = values_at + block_tokens * value_row, head_bytes = bytes;
    using Product = bf16;

    DEV static int key(int j, int i) { return 16 * (j / 2) + 2 * (2 * ((int)threadIdx.x % 4) + i) + j % 2; }
    DEV static int dimension(int j, int i) { return key(j, i); }
    DEV static f32 key_scale(const Place& tile, int key) { return ((const f32*)tile.pointer)[key]; }

    DEV static void copy_keys(u32 tile, const u8* block, int lane)
    {
        if (lane < scale_bytes / 16)
            copy_async(tile + (u32)lane * 16, block + lane * 16, 16);
#pragma unroll
        for (int n = 0; n < D * 2 / warp_size; n++) {
            int i = n * warp_size + lane;
            copy_async(tile + (u32)(keys_at + place(i / 2, i % 2)), block + keys_at + i * 16, 16);
        }
    }

    DEV static void copy_values(u32 tile, const u8* block, int count, int lane)
    {
        constexpr int chunks = value_row / 16;
        if (lane < scale_bytes / 16) {
            int left = (count - 4 * lane) * 4;
            copy_async(tile + (u32)(scales_at + lane * 16), block + scales_at + lane * 16, left < 0 ? 0 : left > 16 ? 16 : left);
        }
#pragma unroll
        for (int n = 0; n < chunks; n++) {
            int i = n * warp_size + lane;
            copy_async(tile + (u32)(values_at + swizzled<value_row>(i / chunks, i % chunks)), block + values_at + i * 16,
                i / chunks < count ? 16 : 0);
        }
    }

    // Rows of 32 bytes: four of them in 128.
    DEV static int place(int row, int chunk) { return row * 32 + (chunk ^ (row >> 2 & 1)) * 16; }

    DEV static void scores(f32 (&s)[4][4], u32 queries, u32 tile)
    {
        int lane = (int)threadIdx.x % warp_size;
#pragma unroll
        for (int k = 0; k < D / 16; k++) {
            u32 a[4], q[4], even[4], odd[4];
            load_query<D>(a, queries, 0, k);
            load_matrices_transposed(q, tile + (u32)(keys_at + place(16 * k + lane % 16, lane / 16)));
#pragma unroll
            for (int i = 0; i < 4; i++)
                widen_pairs(q[i], even[i], odd[i], S());
#pragma unroll
            for (int j = 0; j < 2; j++) {
                multiply_add(s[2 * j], a, even[2 * j], even[2 * j + 1], bf16());
                multiply_add(s[2 * j + 1], a, odd[2 * j], odd[2 * j + 1], bf16());
            }
        }
    }

    DEV static void add_values(f32 (&o)[D / 8][4], f32 (&s)[4][4], const Place& tile)
    {
        int lane = (int)threadIdx.x % warp_size;
        const f32* scales = (const f32*)(tile.pointer + scales_at);
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                s[j][i] *= scales[key(j, i % 2)];
#pragma unroll
        for (int k = 0; k < 2; k++) {
            u32 a[4];
            as_left<bf16>(a, s[2 * k], s[2 * k + 1]);
            int row = 16 * k + lane % 8 * 2 + lane / 8 % 2;
#pragma unroll
            for (int c = 0; c < D / 16; c += 2) {
                u32 q[4], even[4], odd[4];
                load_matrices_transposed(q, tile.address + (u32)(values_at + swizzled<value_row>(row, c + lane / 16)));
#pragma unroll
                for (int i = 0; i < 4; i++)
                    widen_pairs(q[i], even[i], odd[i], S());
#pragma unroll
                for (int j = 0; j < 2; j++) {
                    if (c + j >= D / 16)
                        continue;
                    multiply_add(o[2 * (c + j)], a, even[2 * j], even[2 * j + 1], bf16());
                    multiply_add(o[2 * (c + j) + 1], a, odd[2 * j], odd[2 * j + 1], bf16());
                }
            }
        }
    }
};

#define DECODE_NARROW(name, S, D) \
    using Narrow_##name##_##D = Narrow<D, S>; \
    DECODE(attend_decode_##name##_##D, Narrow_##name##_##D)
DECODE_NARROW(q8, i8, 64) DECODE_NARROW(q8, i8, 80) DECODE_NARROW(q8, i8, 96) DECODE_NARROW(q8, i8, 128)
DECODE_NARROW(q8, i8, 256)
DECODE_NARROW(f8, f8, 64) DECODE_NARROW(f8, f8, 80) DECODE_NARROW(f8, f8, 96) DECODE_NARROW(f8, f8, 128)
DECODE_NARROW(f8, f8, 256)

DEV u8 quantized(f32 x, i8) { return (u8)(i32)nearest(x); }
DEV u8 quantized(f32 x, f8) { return narrow<f8>(x).bits; }

// One row of one head by one warp: a scale and bytes at `stride`; bytes from `count` to `padded` are zeros.
template <class S>
DEV void write_row(const f32* row, int count, int padded, f32 largest_stored, f32* scale, u8* target, int stride)
{
    int lane = (int)threadIdx.x % warp_size;
    f32 largest = 0;
    for (int d = lane; d < count; d += warp_size)
        largest = larger(largest, from_bits(bits_of(row[d]) & 0x7fffffff));
    largest = warp_max(largest);
    f32 inverse = largest > 0 ? divide(largest_stored, largest) : 0.0f;
    if (lane == 0)
        *scale = largest > 0 ? divide(largest, largest_stored) : 0.0f;
    for (int d = lane; d < padded; d += warp_size)
        target[d * stride] = d < count ? quantized(row[d] * inverse, S()) : 0;
}

template <class S>
DEV void kv_write_narrow(const f32* keys, const f32* values, u8* pool, const i32* slots, int layer, const KvShape& shape,
    f32 largest_stored)
{
    int slot = slots[blockIdx.x];
    if (slot < 0)
        return;
    int place = slot % block_tokens, key_bytes = shape.head_dim * block_tokens;
    i64 head_bytes = (i64)(shape.head_dim + shape.value_stride) * block_tokens + 2 * block_tokens * 4;
    i64 first = ((i64)(slot / block_tokens) * shape.layers + layer) * shape.kv_heads;
    for (int i = (int)threadIdx.x / warp_size; i < 2 * shape.kv_heads; i += (int)blockDim.x / warp_size) {
        int head = i / 2;
        u8* target = pool + (first + head) * head_bytes;
        i64 from = ((i64)blockIdx.x * shape.kv_heads + head) * shape.head_dim;
        if (i % 2 == 0)
            write_row<S>(keys + from, shape.head_dim, shape.head_dim, largest_stored, (f32*)target + place,
                target + block_tokens * 4 + place, block_tokens);
        else {
            target += block_tokens * 4 + key_bytes;
            write_row<S>(values + from, shape.head_dim, shape.value_stride, largest_stored, (f32*)target + place,
                target + block_tokens * 4 + place * shape.value_stride, 1);
        }
    }
}

#define KV_WRITE_NARROW(name, S, largest) \
    KERNEL(kv_write_##name, 128, (const f32* keys, const f32* values, u8* pool, const i32* slots, i32 layer, i32 layers, \
        i32 kv_heads, i32 head_dim, i32 value_stride), \
        { kv_write_narrow<S>(keys, values, pool, slots, layer, KvShape{layers, kv_heads, head_dim, value_stride}, largest); })
KV_WRITE_NARROW(q8, i8, 127.0f)
KV_WRITE_NARROW(f8, f8, 448.0f)
