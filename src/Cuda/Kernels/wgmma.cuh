// Products of a warpgroup (four warps) on Hopper's tensor cores: wgmma. Only sm_90a has it; elsewhere these words trap.
#pragma once
#include "prelude.cuh"

// Both factors lie in shared memory in rows of 128 bytes, 16-byte chunk c of row r at c ^ (r & 7), from an address on 1024 bytes;
// a word says where. Left factors have k along the rows (64 in 128 bytes), right ones the columns (64 of them): 8 rows of k in
// 1024 bytes, the next 64 columns `columns_stride` bytes on.
DEV u64 left_factor(u32 address) { return (u64)((address & 0x3ffff) >> 4) | 1ull << 16 | (u64)(1024 >> 4) << 32 | 1ull << 62; }
DEV u64 right_factor(u32 address, u32 columns_stride)
{
    return (u64)((address & 0x3ffff) >> 4) | (u64)(columns_stride >> 4) << 16 | (u64)(1024 >> 4) << 32 | 1ull << 62;
}

#if defined(HEARTH_EMULATED)

DEV void shared_to_products() {}
DEV void group_begin() { emulator::group_begin(); }
DEV void group_commit() { emulator::group_commit(); }
DEV void group_wait() { emulator::group_wait(); }

// Keeps the compiler from using numbers that are still being computed: named after the wait.
template <int n> DEV void settle(f32 (&)[n][4]) {}
template <int n> DEV void settle(u32 (&)[n][4]) {}

// d = left right + (add ? d : 0): 64 rows, 16 warp rows each, columns as multiply_add has them, 8 to a tile.
template <int n, class T> DEV void group_multiply(f32 (&d)[n][4], u64 left, u64 right, bool add, T)
{
    emulator::group_multiply(&d[0][0], 8 * n, nullptr, left, right, add, __is_same(T, bf16));
}
// d += left right, the left factor as multiply_add has it.
template <int n, class T> DEV void group_multiply(f32 (&d)[n][4], const u32 (&left)[4], u64 right, T)
{
    emulator::group_multiply(&d[0][0], 8 * n, left, 0, right, true, __is_same(T, bf16));
}

#else

// What cp.async brought becomes visible to the tensor cores' own path to shared memory.
DEV void shared_to_products() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

template <int n> DEV void settle(f32 (&d)[n][4])
{
#pragma unroll
    for (int j = 0; j < n; j++)
        asm volatile("" : "+f"(d[j][0]), "+f"(d[j][1]), "+f"(d[j][2]), "+f"(d[j][3])::"memory");
}
template <int n> DEV void settle(u32 (&d)[n][4])
{
#pragma unroll
    for (int j = 0; j < n; j++)
        asm volatile("" : "+r"(d[j][0]), "+r"(d[j][1]), "+r"(d[j][2]), "+r"(d[j][3])::"memory");
}

#define FOUR(j) "+f"(d[j][0]), "+f"(d[j][1]), "+f"(d[j][2]), "+f"(d[j][3])
#define SIXTEEN(j) FOUR(j), FOUR(j + 1), FOUR(j + 2), FOUR(j + 3)
#define NUMBERS_8 SIXTEEN(0), SIXTEEN(4)
#define NUMBERS_16 NUMBERS_8, SIXTEEN(8), SIXTEEN(12)
#define NUMBERS_32 NUMBERS_16, SIXTEEN(16), SIXTEEN(20), SIXTEEN(24), SIXTEEN(28)

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

DEV void group_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEV void group_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
DEV void group_wait() { asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory"); }

// clang-format off
#define GROUP_MULTIPLY_SHARED_64(T) \
DEV void group_multiply(f32 (&d)[8][4], u64 left, u64 right, bool add, T) \
{ \
    asm volatile("{.reg .pred p; setp.ne.b32 p,%34,0;" \
        "wgmma.mma_async.sync.aligned.m64n64k16.f32." #T "." #T " {" \
        "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28," \
        "%29,%30,%31" \
        "},%32,%33,p,1,1,0,1;}" : NUMBERS_8 : "l"(left), "l"(right), "r"((u32)add) : "memory"); \
}
#define GROUP_MULTIPLY_64(T) \
DEV void group_multiply(f32 (&d)[8][4], const u32 (&left)[4], u64 right, T) \
{ \
    asm volatile("{.reg .pred p; setp.ne.b32 p,%37,0; wgmma.mma_async.sync.aligned.m64n64k16.f32." #T "." #T " {" \
        "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28," \
        "%29,%30,%31" \
        "},{%32,%33,%34,%35},%36,p,1,1,1;}" \
        : NUMBERS_8 : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(right), "r"(1) : "memory"); \
}
#define GROUP_MULTIPLY_SHARED_128(T) \
DEV void group_multiply(f32 (&d)[16][4], u64 left, u64 right, bool add, T) \
{ \
    asm volatile("{.reg .pred p; setp.ne.b32 p,%66,0;" \
        "wgmma.mma_async.sync.aligned.m64n128k16.f32." #T "." #T " {" \
        "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28," \
        "%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55," \
        "%56,%57,%58,%59,%60,%61,%62,%63" \
        "},%64,%65,p,1,1,0,1;}" : NUMBERS_16 : "l"(left), "l"(right), "r"((u32)add) : "memory"); \
}
#define GROUP_MULTIPLY_128(T) \
DEV void group_multiply(f32 (&d)[16][4], const u32 (&left)[4], u64 right, T) \
{ \
    asm volatile("{.reg .pred p; setp.ne.b32 p,%69,0; wgmma.mma_async.sync.aligned.m64n128k16.f32." #T "." #T " {" \
        "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28," \
        "%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55," \
        "%56,%57,%58,%59,%60,%61,%62,%63" \
        "},{%64,%65,%66,%67},%68,p,1,1,1;}" \
        : NUMBERS_16 : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(right), "r"(1) : "memory"); \
}
#define GROUP_MULTIPLY_256(T) \
DEV void group_multiply(f32 (&d)[32][4], const u32 (&left)[4], u64 right, T) \
{ \
    asm volatile("{.reg .pred p; setp.ne.b32 p,%133,0; wgmma.mma_async.sync.aligned.m64n256k16.f32." #T "." #T " {" \
        "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28," \
        "%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55," \
        "%56,%57,%58,%59,%60,%61,%62,%63,%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79,%80,%81,%82," \
        "%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95,%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107," \
        "%108,%109,%110,%111,%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127" \
        "},{%128,%129,%130,%131},%132,p,1,1,1;}" \
        : NUMBERS_32 : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(right), "r"(1) : "memory"); \
}
// clang-format on
GROUP_MULTIPLY_SHARED_64(bf16) GROUP_MULTIPLY_SHARED_128(bf16) GROUP_MULTIPLY_64(bf16) GROUP_MULTIPLY_128(bf16)
GROUP_MULTIPLY_256(bf16)
GROUP_MULTIPLY_SHARED_64(f16) GROUP_MULTIPLY_SHARED_128(f16) GROUP_MULTIPLY_64(f16) GROUP_MULTIPLY_128(f16)
GROUP_MULTIPLY_256(f16)

#else

DEV void group_begin() { asm volatile("trap;"); }
DEV void group_commit() {}
DEV void group_wait() {}
template <int n, class T> DEV void group_multiply(f32 (&)[n][4], u64, u64, bool, T) {}
template <int n, class T> DEV void group_multiply(f32 (&)[n][4], const u32 (&)[4], u64, T) {}

#endif
#endif
