// What the kernels stand on: types, conversions and the instructions that C++ has no word for. No header is included, so that
// NVRTC takes it as it is; nvcc and clang (-x cuda -nocudainc -nocudalib) take it too. With HEARTH_EMULATED the same kernels are
// C++ for the processor, and a block's threads are fibers (tests/Cuda/Emulator): kernels hold no #ifdef.
#pragma once

typedef signed char i8;
typedef int i32;
typedef long long i64;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef float f32;

// Numbers as they are stored; arithmetic is f32.
struct bf16 { u16 bits; };
struct f16 { u16 bits; };
struct f8 { u8 bits; };  // e4m3: 4 bits of exponent (bias 7), 3 of mantissa, no infinity, 0x7f is NaN

// 16 bytes: one load or store.
struct alignas(16) u4 { u32 x, y, z, w; };
struct alignas(8) u2 { u32 x, y; };

template <class T> struct Identity { using type = T; };  // so that a macro can name an array's type

#if defined(HEARTH_EMULATED)

#include "emulated.h"

#else

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define DEV __device__ __forceinline__
#define SHARED(T, name) __shared__ Identity<T>::type name
#define DYNAMIC_SHARED(name) extern __shared__ __align__(1024) u8 name[]
#else  // clang without headers
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __restrict__ __restrict
#define DEV __attribute__((device)) __attribute__((always_inline)) inline
#define SHARED(T, name) __attribute__((shared)) Identity<T>::type name
#define DYNAMIC_SHARED(name) extern __attribute__((shared)) __attribute__((aligned(1024))) u8 name[]
#define threadIdx (Index3{__nvvm_read_ptx_sreg_tid_x(), __nvvm_read_ptx_sreg_tid_y(), __nvvm_read_ptx_sreg_tid_z()})
#define blockIdx (Index3{__nvvm_read_ptx_sreg_ctaid_x(), __nvvm_read_ptx_sreg_ctaid_y(), __nvvm_read_ptx_sreg_ctaid_z()})
#define blockDim (Index3{__nvvm_read_ptx_sreg_ntid_x(), __nvvm_read_ptx_sreg_ntid_y(), __nvvm_read_ptx_sreg_ntid_z()})
#define gridDim (Index3{__nvvm_read_ptx_sreg_nctaid_x(), __nvvm_read_ptx_sreg_nctaid_y(), __nvvm_read_ptx_sreg_nctaid_z()})
struct Index3 { int x, y, z; };
#endif

// An entry point: its name, the most threads of a block, its parameters, its body.
#define KERNEL(name, threads, params, ...) extern "C" __global__ void __launch_bounds__(threads) name params __VA_ARGS__
#define KERNEL_OCCUPIED(name, threads, blocks, params, ...) \
    extern "C" __global__ void __launch_bounds__(threads, blocks) name params __VA_ARGS__

DEV void block_barrier() { __syncthreads(); }
DEV void warp_barrier() { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }

DEV u32 bits_of(f32 x) { u32 u; asm("mov.b32 %0,%1;" : "=r"(u) : "f"(x)); return u; }
DEV f32 from_bits(u32 u) { f32 x; asm("mov.b32 %0,%1;" : "=f"(x) : "r"(u)); return x; }

// Whole warps only: all 32 lanes call these together.
DEV u32 shuffle_xor(u32 v, int mask)
{
    u32 r;
    asm volatile("shfl.sync.bfly.b32 %0,%1,%2,31,0xffffffff;" : "=r"(r) : "r"(v), "r"(mask));
    return r;
}
DEV u32 shuffle(u32 v, int lane)
{
    u32 r;
    asm volatile("shfl.sync.idx.b32 %0,%1,%2,31,0xffffffff;" : "=r"(r) : "r"(v), "r"(lane));
    return r;
}
DEV u32 ballot(bool predicate)
{
    u32 r;
    asm volatile("{.reg .pred p; setp.ne.u32 p,%1,0; vote.sync.ballot.b32 %0,p,0xffffffff;}" : "=r"(r) : "r"((u32)predicate));
    return r;
}

DEV f32 fused(f32 a, f32 b, f32 c) { f32 r; asm("fma.rn.f32 %0,%1,%2,%3;" : "=f"(r) : "f"(a), "f"(b), "f"(c)); return r; }
DEV f32 power2(f32 x) { f32 r; asm("ex2.approx.ftz.f32 %0,%1;" : "=f"(r) : "f"(x)); return r; }
DEV f32 logarithm2(f32 x) { f32 r; asm("lg2.approx.f32 %0,%1;" : "=f"(r) : "f"(x)); return r; }
DEV f32 root(f32 x) { f32 r; asm("sqrt.rn.f32 %0,%1;" : "=f"(r) : "f"(x)); return r; }
DEV f32 divide(f32 a, f32 b) { f32 r; asm("div.rn.f32 %0,%1,%2;" : "=f"(r) : "f"(a), "f"(b)); return r; }
DEV f32 nearest(f32 x) { f32 r; asm("cvt.rni.f32.f32 %0,%1;" : "=f"(r) : "f"(x)); return r; }
DEV f32 larger(f32 a, f32 b) { f32 r; asm("max.f32 %0,%1,%2;" : "=f"(r) : "f"(a), "f"(b)); return r; }

// Two numbers in one register, the first in the low half.
DEV u32 pack_bf16(f32 low, f32 high) { u32 r; asm("cvt.rn.bf16x2.f32 %0,%1,%2;" : "=r"(r) : "f"(high), "f"(low)); return r; }
DEV u32 pack_f16(f32 low, f32 high) { u32 r; asm("cvt.rn.f16x2.f32 %0,%1,%2;" : "=r"(r) : "f"(high), "f"(low)); return r; }
DEV f32 widen_f16(u16 bits) { f32 r; asm("cvt.f32.f16 %0,%1;" : "=f"(r) : "h"(bits)); return r; }
// a b + c in both halves.
DEV u32 fused_pairs_bf16(u32 a, u32 b, u32 c)
{
    u32 r;
    asm("fma.rn.bf16x2 %0,%1,%2,%3;" : "=r"(r) : "r"(a), "r"(b), "r"(c));
    return r;
}
// Picks four of the eight bytes of (a, b) by the selector's nibbles; b holds bytes 4 to 7.
DEV u32 pick_bytes(u32 a, u32 b, u32 selector)
{
    u32 r;
    asm("prmt.b32 %0,%1,%2,%3;" : "=r"(r) : "r"(a), "r"(b), "r"(selector));
    return r;
}

// Each byte is read once, so it stays out of the first cache.
DEV u4 load_once(const void* p)
{
    u4 v;
    asm("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0,%1,%2,%3},[%4];"
        : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p));
    return v;
}

DEV u32 shared_address(const void* p)
{
    u32 a;
    asm("{.reg .u64 t; cvta.to.shared.u64 t,%1; cvt.u32.u64 %0,t;}" : "=r"(a) : "l"(p));
    return a;
}

// Copies 16 bytes to shared memory behind the thread's back; of them only the first `bytes`, zeros after. Both sides on 16 bytes.
DEV void copy_async(u32 shared, const void* global, int bytes)
{
    asm volatile("cp.async.cg.shared.global [%0],[%1],16,%2;" ::"r"(shared), "l"(global), "r"(bytes) : "memory");
}
DEV void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most N of this thread's groups are under way; others see the data after a barrier.
template <int N> DEV void copy_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }

// Four 8 x 8 matrices of 16-bit elements: lanes 8 i to 8 i + 7 give the addresses of matrix i's rows of 16 bytes. Lane (g, t)
// gets elements (g, 2t), (g, 2t + 1) of each; transposed (2t, g), (2t + 1, g).
DEV void load_matrices(u32 (&r)[4], u32 address)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}
DEV void load_matrices_transposed(u32 (&r)[4], u32 address)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3},[%4];"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}

// d += a b on tensor cores: 16 x 16 times 16 x 8. With g = lane / 4, t = lane % 4: a holds (g, 2t..), (g + 8, 2t..), (g, 2t +
// 8..), (g + 8, 2t + 8..); b holds (2t.., g), (2t + 8.., g); d holds (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
DEV void multiply_add(f32 (&d)[4], const u32 (&a)[4], u32 b0, u32 b1, bf16)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
DEV void multiply_add(f32 (&d)[4], const u32 (&a)[4], u32 b0, u32 b1, f16)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Sums of integers do not depend on the order, so neither do results.
DEV u32 atomic_add(u32* p, u32 v)
{
    u32 r;
    asm volatile("atom.add.u32 %0,[%1],%2;" : "=r"(r) : "l"(p), "r"(v) : "memory");
    return r;
}
DEV u64 atomic_add(u64* p, u64 v)
{
    u64 r;
    asm volatile("atom.add.u64 %0,[%1],%2;" : "=l"(r) : "l"(p), "l"(v) : "memory");
    return r;
}

#endif

// ---- from here on one text for all ----

constexpr int warp_size = 32;
constexpr f32 log2_e = 1.4426950408889634f;

DEV f32 minus_infinity() { return from_bits(0xff800000); }

DEV f32 shuffle_xor(f32 v, int mask) { return from_bits(shuffle_xor(bits_of(v), mask)); }
DEV f32 shuffle(f32 v, int lane) { return from_bits(shuffle(bits_of(v), lane)); }

DEV f32 widen(f32 x) { return x; }
DEV f32 widen(bf16 x) { return from_bits((u32)x.bits << 16); }
DEV f32 widen(f16 x) { return widen_f16(x.bits); }
DEV f32 widen(i8 x) { return (f32)x; }
// The bits as a bf16 are the value times 2^-120: exact, subnormals too.
DEV f32 widen(f8 x)
{
    return from_bits((u32)(x.bits & 0x80) << 24 | (u32)(x.bits & 0x7f) << 20) * from_bits(247u << 23);
}

template <class T> struct Stored;
template <> struct Stored<f32> { DEV static f32 from(f32 x) { return x; } };
template <> struct Stored<bf16> { DEV static bf16 from(f32 x) { return bf16{(u16)pack_bf16(x, 0)}; } };
template <> struct Stored<f16> { DEV static f16 from(f32 x) { return f16{(u16)pack_f16(x, 0)}; } };
// To nearest, ties to even; beyond the range the largest.
template <> struct Stored<f8>
{
    DEV static f8 from(f32 x)
    {
        u32 sign = bits_of(x) >> 24 & 0x80;
        u32 magnitude = bits_of(x) & 0x7fffffff;
        if (magnitude >= 0x43e80000)  // 464 and up, NaN apart
            return f8{(u8)(sign | (magnitude > 0x7f800000 ? 0x7f : 0x7e))};
        if (magnitude < 0x3c800000)  // below 2^-6 the steps are 2^-9
            return f8{(u8)(sign | (u32)nearest(from_bits(magnitude) * 512.0f))};
        u32 rounded = magnitude + 0x7ffff + (magnitude >> 20 & 1);
        return f8{(u8)(sign | ((rounded >> 20) - (120 << 3)))};
    }
};

template <class T> DEV T narrow(f32 x) { return Stored<T>::from(x); }

template <class T> DEV u32 pack(f32 low, f32 high);
template <> DEV u32 pack<bf16>(f32 low, f32 high) { return pack_bf16(low, high); }
template <> DEV u32 pack<f16>(f32 low, f32 high) { return pack_f16(low, high); }

DEV f32 low_half(u32 pair, bf16) { return from_bits(pair << 16); }
DEV f32 high_half(u32 pair, bf16) { return from_bits(pair & 0xffff0000); }
DEV f32 low_half(u32 pair, f16) { return widen_f16((u16)pair); }
DEV f32 high_half(u32 pair, f16) { return widen_f16((u16)(pair >> 16)); }

// Eight neighbours at once; the address lies on 16 bytes.
template <class T> DEV void unpack8(const u4& v, f32 (&x)[8])
{
    x[0] = low_half(v.x, T()), x[1] = high_half(v.x, T()), x[2] = low_half(v.y, T()), x[3] = high_half(v.y, T());
    x[4] = low_half(v.z, T()), x[5] = high_half(v.z, T()), x[6] = low_half(v.w, T()), x[7] = high_half(v.w, T());
}
template <class T> DEV void load8(const T* p, f32 (&x)[8]) { unpack8<T>(*(const u4*)p, x); }
template <> DEV void load8<f32>(const f32* p, f32 (&x)[8])
{
    u4 a = *(const u4*)p, b = *(const u4*)(p + 4);
    x[0] = from_bits(a.x), x[1] = from_bits(a.y), x[2] = from_bits(a.z), x[3] = from_bits(a.w);
    x[4] = from_bits(b.x), x[5] = from_bits(b.y), x[6] = from_bits(b.z), x[7] = from_bits(b.w);
}
// Eight weights as they came: read once, kept out of the first cache.
template <class T> struct Weights8
{
    u4 v;
    DEV static Weights8 load(const T* p) { return Weights8{load_once(p)}; }
    DEV void unpack(f32 (&x)[8]) const { unpack8<T>(v, x); }
};
template <> struct Weights8<f32>
{
    u4 a, b;
    DEV static Weights8 load(const f32* p) { return Weights8{load_once(p), load_once(p + 4)}; }
    DEV void unpack(f32 (&x)[8]) const
    {
        x[0] = from_bits(a.x), x[1] = from_bits(a.y), x[2] = from_bits(a.z), x[3] = from_bits(a.w);
        x[4] = from_bits(b.x), x[5] = from_bits(b.y), x[6] = from_bits(b.z), x[7] = from_bits(b.w);
    }
};

template <class T> DEV void store8(T* p, const f32 (&x)[8])
{
    *(u4*)p = u4{pack<T>(x[0], x[1]), pack<T>(x[2], x[3]), pack<T>(x[4], x[5]), pack<T>(x[6], x[7])};
}
template <> DEV void store8<f32>(f32* p, const f32 (&x)[8])
{
    *(u4*)p = u4{bits_of(x[0]), bits_of(x[1]), bits_of(x[2]), bits_of(x[3])};
    *(u4*)(p + 4) = u4{bits_of(x[4]), bits_of(x[5]), bits_of(x[6]), bits_of(x[7])};
}

DEV f32 exponential(f32 x) { return power2(x * log2_e); }
DEV f32 sigmoid(f32 x) { return divide(1.0f, 1.0f + exponential(-x)); }
// To 1e-7 of its range (tanh.approx is good to 5e-4 only).
DEV f32 hyperbolic_tangent(f32 x) { return 1.0f - divide(2.0f, exponential(2.0f * x) + 1.0f); }

// The same result in every lane, by a tree of fixed order.
DEV f32 warp_sum(f32 v)
{
    for (int mask = 16; mask > 0; mask >>= 1)
        v += shuffle_xor(v, mask);
    return v;
}
DEV f32 warp_max(f32 v)
{
    for (int mask = 16; mask > 0; mask >>= 1)
        v = larger(v, shuffle_xor(v, mask));
    return v;
}

// The block's sum, the same in every thread; `parts` has room for a number of every warp and one more. Ends with a barrier, so it
// can be called again at once.
DEV f32 block_sum(f32 v, f32* parts)
{
    int warps = (int)blockDim.x / warp_size, lane = (int)threadIdx.x % warp_size;
    v = warp_sum(v);
    if (lane == 0)
        parts[threadIdx.x / warp_size] = v;
    block_barrier();
    v = warp_sum(lane < warps ? parts[lane] : 0.0f);
    block_barrier();
    return v;
}
