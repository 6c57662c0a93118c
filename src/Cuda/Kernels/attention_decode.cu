// Flash-decoding on tensor cores: the query heads that share a KV head are the rows of one tile, so each key and value is read
// once.
//
// attend_decode_T_D  for T bf16, f16 and head sizes D 64, 80, 96, 128, 256; parameters, partials and grid as attend_decode_T of
//                    attention_exact.cu, value_stride as KvLayout has it. 128 threads,
//                    shared memory: 32 D + 256 (D + value_stride) bytes.
//
// A block is one part of 256 positions: 8 blocks of the cache, two for each of the 4 warps. A warp copies its own keys and values
// (cp.async, no barrier), multiplies with mma.m16n8k16 and keeps its own online softmax; the four are merged in order at the end.
// Keys of the next block are on their way while the values of this one are used. At D = 128 a block takes 68 KiB, so 3 run on a
// multiprocessor of an H100 with up to 192 KiB on the way; 16 rows of D columns are 64 registers of a thread.
#include "attention_decode.cuh"

// 16-bit elements: keys [D][32], values [32][value_stride], as multiply_add takes them.
template <int width, class T> struct Wide
{
    static constexpr int D = width, bytes = Tile<D>::bytes, head_bytes = Tile<D>::bytes;
    using Product = T;

    DEV static int key(int j, int i) { return 8 * j + 2 * ((int)threadIdx.x % 4) + i; }
    DEV static int dimension(int j, int i) { return key(j, i); }
    DEV static f32 key_scale(const Place&, int) { return 1; }

    DEV static void copy_keys(u32 tile, const u8* block, int lane) { ::copy_keys<D, warp_size>(tile, block, lane); }
    DEV static void copy_values(u32 tile, const u8* block, int count, int lane)
    {
        ::copy_values<D, warp_size>(tile + (u32)Tile<D>::key_bytes, block + Tile<D>::key_bytes, count, lane);
    }

    DEV static void scores(f32 (&s)[4][4], u32 queries, u32 tile)
    {
#pragma unroll
        for (int k = 0; k < D / 16; k++) {
            u32 a[4], b[4];
            load_query<D>(a, queries, 0, k);
#pragma unroll
            for (int j = 0; j < 2; j++) {
                load_right<Tile<D>::key_row>(b, tile, k, j);
                multiply_add(s[2 * j], a, b[0], b[1], T());
                multiply_add(s[2 * j + 1], a, b[2], b[3], T());
            }
        }
    }

    DEV static void add_values(f32 (&o)[D / 8][4], const f32 (&s)[4][4], const Place& tile)
    {
        u32 values = tile.address + (u32)Tile<D>::key_bytes;
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

#define DECODE_WIDE(T, D) \
    using Wide_##T##_##D = Wide<D, T>; \
    DECODE(attend_decode_##T##_##D, Wide_##T##_##D)
DECODE_WIDE(bf16, 64) DECODE_WIDE(bf16, 80) DECODE_WIDE(bf16, 96) DECODE_WIDE(bf16, 128) DECODE_WIDE(bf16, 256)
DECODE_WIDE(f16, 64) DECODE_WIDE(f16, 80) DECODE_WIDE(f16, 96) DECODE_WIDE(f16, 128) DECODE_WIDE(f16, 256)
