// Choosing tokens on the card, so that only their ids come back.
//
// argmax   (const f32* logits, i32* target, i32 width)  The first of the largest of each row; -1 where none is finite, one is NaN or
//          one is +infinity. Grid: rows, blocks of up to 1024 threads.
#include "prelude.cuh"

// Larger scores first, equal ones by the lower id: one sortable number. -0 equals 0.
DEV u32 sortable(f32 score)
{
    u32 bits = bits_of(score + 0.0f);
    return bits & 0x80000000 ? ~bits : bits | 0x80000000;
}

DEV u64 larger(u64 a, u64 b) { return a > b ? a : b; }

DEV u64 warp_max(u64 v)
{
    for (int mask = 16; mask > 0; mask >>= 1)
        v = larger(v, (u64)shuffle_xor((u32)(v >> 32), mask) << 32 | shuffle_xor((u32)v, mask));
    return v;
}

DEV u64 block_max(u64 v, u64* parts)
{
    int warps = (int)blockDim.x / warp_size, lane = (int)threadIdx.x % warp_size;
    v = warp_max(v);
    if (lane == 0)
        parts[threadIdx.x / warp_size] = v;
    block_barrier();
    v = warp_max(lane < warps ? parts[lane] : 0);
    block_barrier();
    return v;
}

// The sortable score and the complement of the id of the best; NaN is above everything.
DEV u64 best_of(const f32* scores, int width, u64* parts)
{
    u64 best = 0;
    for (int i = (int)threadIdx.x; i < width; i += (int)blockDim.x) {
        f32 x = scores[i];
        best = larger(best, x == x ? (u64)sortable(x) << 32 | ~(u32)i : ~(u64)0);
    }
    return block_max(best, parts);
}

constexpr u32 sortable_infinity = 0xff800000, sortable_lowest = 0x00800000;  // of +infinity, of the lowest finite number

KERNEL(argmax, 1024, (const f32* logits, i32* target, i32 width),
{
    SHARED(u64[32], parts);
    u64 best = best_of(logits + (i64)blockIdx.x * width, width, parts);
    u32 score = (u32)(best >> 32);
    if (threadIdx.x == 0)
        target[blockIdx.x] = score < sortable_infinity && score >= sortable_lowest ? (i32)~(u32)best : -1;
})
