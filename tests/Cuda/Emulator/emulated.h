// The words of prelude.cuh for the processor: a block's threads are fibers of one system thread, and whole-warp instructions are
// computed, exactly to their fragment layouts, when the last of their 32 lanes has come to them.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstring>
#include <tuple>
#include <vector>

namespace emulator {

struct Index3 { int x, y, z; };

#define EMULATOR_STATE extern thread_local __attribute__((tls_model("initial-exec")))
EMULATOR_STATE Index3 thread_index, block_index, block_size, grid_size;

void barrier();
void named_barrier(int id, int threads);

// Waits for the warp's 32 lanes, lets the last one compute for all from what each brought, and goes on.
void collective(void* operands, void (*compute)(void** lanes), const char* what);

// The block's shared memory: the same place for the same site, poisoned at the block's start.
void* shared_object(const char* site, size_t bytes, size_t alignment);
u8* dynamic_shared();
u32 shared_offset(const void* p);
void* shared_place(u32 offset, size_t bytes, size_t alignment, const char* what);

void copy_async(u32 shared, const void* global, int bytes);
void copy_async_commit();
void copy_async_wait(int pending);

// A warpgroup's words (wgmma.cuh): products wait in groups until group_wait, or are done at once with seed 0.
void group_begin();
void group_commit();
void group_wait();
void group_multiply(f32* d, int columns, const u32* left_registers, u64 left, u64 right, bool add, bool is_bf16);

struct GroupProduct
{
    f32* d[128];
    const u32* left_registers[128];  // null: the left factor lies in shared memory
    int columns;
    u64 left, right;
    bool add, is_bf16;
};
void compute_group(const GroupProduct& product);

[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// sizes: of the parameters, in order.
struct Registration { Registration(const char* name, int threads, void (*call)(void** arguments), std::vector<u32> sizes); };

template <class... P> std::vector<u32> sizes_of(void (*)(P...)) { return {(u32)sizeof(P)...}; }

template <class T> T argument(void* p)
{
    T value;
    memcpy((void*)&value, p, sizeof value);
    return value;
}

template <class... P> void invoke(void (*kernel)(P...), void** arguments)
{
    int i = 0;
    std::tuple<P...> values{argument<P>(arguments[i++])...};
    std::apply(kernel, values);
}

u16 half_bits(f32 x);
f32 half_value(u16 bits);
u16 bfloat_bits(f32 x);

struct Exchange { u32 value; int lane; u32 result; };
void compute_shuffle_xor(void** lanes);
void compute_shuffle(void** lanes);
void compute_ballot(void** lanes);

struct MatrixLoad { u32 address; u32* r; };
void compute_load(void** lanes);
void compute_load_transposed(void** lanes);

struct MultiplyAdd { f32* d; const u32* a; u32 b0, b1; };
void compute_bf16(void** lanes);
void compute_f16(void** lanes);

}  // namespace emulator

#define __global__
#define __shared__
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define DEV inline __attribute__((always_inline))
#define threadIdx (emulator::thread_index)
#define blockIdx (emulator::block_index)
#define blockDim (emulator::block_size)
#define gridDim (emulator::grid_size)

#define EMULATOR_TEXT2(x) #x
#define EMULATOR_TEXT(x) EMULATOR_TEXT2(x)
#define SHARED(T, name) \
    auto& name = *(Identity<T>::type*)emulator::shared_object(__FILE__ ":" EMULATOR_TEXT(__LINE__), sizeof(T), 16)
#define DYNAMIC_SHARED(name) u8* name = emulator::dynamic_shared()

#define KERNEL(name, threads, params, ...) \
    extern "C" void name params __VA_ARGS__ \
    static emulator::Registration name##_entry(#name, threads, [](void** a) { emulator::invoke(name, a); }, \
        emulator::sizes_of(name));
#define KERNEL_OCCUPIED(name, threads, blocks, params, ...) KERNEL(name, threads, params, __VA_ARGS__)

DEV void block_barrier() { emulator::barrier(); }
DEV void warp_barrier() { emulator::collective(nullptr, [](void**) {}, "warp_barrier"); }

DEV u32 bits_of(f32 x) { u32 u; memcpy(&u, &x, 4); return u; }
DEV f32 from_bits(u32 u) { f32 x; memcpy(&x, &u, 4); return x; }

DEV u32 shuffle_xor(u32 v, int mask)
{
    emulator::Exchange e{v, mask, 0};
    emulator::collective(&e, emulator::compute_shuffle_xor, "shuffle_xor");
    return e.result;
}
DEV u32 shuffle(u32 v, int lane)
{
    emulator::Exchange e{v, lane, 0};
    emulator::collective(&e, emulator::compute_shuffle, "shuffle");
    return e.result;
}
DEV u32 ballot(bool predicate)
{
    emulator::Exchange e{predicate, 0, 0};
    emulator::collective(&e, emulator::compute_ballot, "ballot");
    return e.result;
}

DEV f32 fused(f32 a, f32 b, f32 c) { return __builtin_fmaf(a, b, c); }
DEV f32 power2(f32 x) { return exp2f(x); }
DEV f32 logarithm2(f32 x) { return log2f(x); }
DEV f32 root(f32 x) { return sqrtf(x); }
DEV f32 divide(f32 a, f32 b) { return a / b; }
DEV f32 nearest(f32 x) { return nearbyintf(x); }
DEV f32 larger(f32 a, f32 b) { return fmaxf(a, b); }

DEV u32 pack_bf16(f32 low, f32 high) { return emulator::bfloat_bits(low) | (u32)emulator::bfloat_bits(high) << 16; }
DEV u32 pack_f16(f32 low, f32 high) { return emulator::half_bits(low) | (u32)emulator::half_bits(high) << 16; }
DEV f32 widen_f16(u16 bits) { return emulator::half_value(bits); }
DEV u32 fused_pairs_bf16(u32 a, u32 b, u32 c)
{
    return pack_bf16(fused(from_bits(a << 16), from_bits(b << 16), from_bits(c << 16)),
        fused(from_bits(a & 0xffff0000), from_bits(b & 0xffff0000), from_bits(c & 0xffff0000)));
}
DEV u32 pick_bytes(u32 a, u32 b, u32 selector)
{
    u64 both = a | (u64)b << 32;
    u32 r = 0;
    for (int i = 0; i < 4; i++) {
        u32 s = selector >> 4 * i;
        u32 byte = (u32)(both >> 8 * (s & 7)) & 0xff;
        r |= (s & 8 ? (byte & 0x80 ? 0xff : 0) : byte) << 8 * i;
    }
    return r;
}

DEV u4 load_once(const void* p) { return *(const u4*)p; }

DEV u32 shared_address(const void* p) { return emulator::shared_offset(p); }
DEV void copy_async(u32 shared, const void* global, int bytes) { emulator::copy_async(shared, global, bytes); }
DEV void copy_async_commit() { emulator::copy_async_commit(); }
template <int N> DEV void copy_async_wait() { emulator::copy_async_wait(N); }

DEV void load_matrices(u32 (&r)[4], u32 address)
{
    emulator::MatrixLoad m{address, r};
    emulator::collective(&m, emulator::compute_load, "load_matrices");
}
DEV void load_matrices_transposed(u32 (&r)[4], u32 address)
{
    emulator::MatrixLoad m{address, r};
    emulator::collective(&m, emulator::compute_load_transposed, "load_matrices_transposed");
}
DEV void multiply_add(f32 (&d)[4], const u32 (&a)[4], u32 b0, u32 b1, bf16)
{
    emulator::MultiplyAdd m{d, a, b0, b1};
    emulator::collective(&m, emulator::compute_bf16, "multiply_add");
}
DEV void multiply_add(f32 (&d)[4], const u32 (&a)[4], u32 b0, u32 b1, f16)
{
    emulator::MultiplyAdd m{d, a, b0, b1};
    emulator::collective(&m, emulator::compute_f16, "multiply_add");
}

DEV u32 atomic_add(u32* p, u32 v) { u32 old = *p; *p = old + v; return old; }
DEV u64 atomic_add(u64* p, u64 v) { u64 old = *p; *p = old + v; return old; }
