// Kernels that are wrong, each in one way that the emulator must find.
#include "prelude.cuh"

KERNEL(fault_write, 128, (f32* target, i32 count),
{
    if ((int)threadIdx.x <= count)
        target[threadIdx.x] = 1;
})

KERNEL(fault_read, 128, (f32* target, const f32* source, i32 count), { target[threadIdx.x] = source[threadIdx.x + count]; })

KERNEL(fault_unaligned, 128, (u4* target, const f32* source), { target[threadIdx.x] = *(const u4*)(source + threadIdx.x); })

KERNEL(fault_barrier, 128, (f32* target),
{
    if (threadIdx.x < 64)
        block_barrier();
    target[threadIdx.x] = 1;
})

KERNEL(fault_lanes, 128, (f32* target),
{
    f32 sum = 0;
    if (threadIdx.x != 70)
        sum = warp_sum(1.0f);
    target[threadIdx.x] = sum;
})

KERNEL(fault_race, 128, (f32* target),
{
    SHARED(f32[128], values);
    values[threadIdx.x] = (f32)threadIdx.x;
    target[threadIdx.x] = values[(threadIdx.x + 1) % 128];
})

KERNEL(fault_wait, 128, (u4* target, const u4* source),
{
    SHARED(u4[128], values);
    copy_async(shared_address(values + threadIdx.x), source + threadIdx.x, 16);
    copy_async_commit();
    copy_async_wait<1>();
    block_barrier();
    target[threadIdx.x] = values[threadIdx.x];
})

KERNEL(fault_shared, 128, (f32* target),
{
    DYNAMIC_SHARED(values);
    u32 r[4];
    load_matrices(r, shared_address(values) + threadIdx.x * 16);
    target[threadIdx.x] = from_bits(r[0]);
})
