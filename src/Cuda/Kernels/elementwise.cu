// Embeddings, activations, conversions and the moving of rows. Activations are f32 [rows, width]; T is the type the name ends
// with: f32, bf16 or f16. Blocks of 128 threads.
//
// embed_T        (const T* table, const i32* ids, f32* target, i32 width, f32 scale, i32 accumulate)
//                target[r] = scale * table[ids[r]], or += that. Grid: rows.
// narrow_T       (const f32* source, T* target, i64 count)  to the nearest, ties to even. Grid: any.
// widen_T        (const T* source, f32* target, i64 count)  Grid: any.
// activate_T     (const f32* gate, const f32* up, T* target, i64 count, i32 kind)
//                target = f(gate) (* up, null for none). kind: 0 silu, 1 gelu by tanh, 2 gelu by erf, 3 relu, 4 relu squared,
//                5 sigmoid. With T = f32 target may be gate. Grid: any.
// add_bias       (f32* target, const f32* bias, i64 count, i32 width)  target[r] += bias. Grid: any.
// gather_rows    (const f32* source, const i32* row_ids, f32* target, i32 width)  target[i] = source[row_ids[i]]. Grid: rows.
// combine_rows   (const f32* source, const i32* row_ids, const f32* weights, f32* target, i32 per_row, i32 width, i32 accumulate)
//                target[i] = sum of weights[i, j] * source[row_ids[i, j]] over j < per_row in order, ids < 0 left out, or +=
//                that: how a mixture of experts puts its rows together again. Grid: rows.
//
// All are bound by memory: 16 or 32 bytes a thread at once where the width is a multiple of 8, which every real model's is.
#include "prelude.cuh"

template <int N> struct Lanes { static constexpr int count = N; };

// Runs f(i, Lanes<8>) over vectors or f(i, Lanes<1>) over single elements of 0..count-1.
template <class F> DEV void over(i64 count, bool vectors, i64 first, i64 step, F f)
{
    if (vectors)
        for (i64 i = first * 8; i < count; i += step * 8)
            f(i, Lanes<8>());
    else
        for (i64 i = first; i < count; i += step)
            f(i, Lanes<1>());
}

template <class F> DEV void over_grid(i64 count, bool vectors, F f)
{
    over(count, vectors, (i64)blockIdx.x * blockDim.x + threadIdx.x, (i64)gridDim.x * blockDim.x, f);
}

template <class T> DEV void load_some(const T* p, f32 (&x)[8]) { load8(p, x); }
template <class T> DEV void load_some(const T* p, f32 (&x)[1]) { x[0] = widen(*p); }
template <class T> DEV void store_some(T* p, const f32 (&x)[8]) { store8(p, x); }
template <class T> DEV void store_some(T* p, const f32 (&x)[1]) { *p = narrow<T>(x[0]); }

template <class T> DEV void embed(const T* table, const i32* ids, f32* target, int width, f32 scale, int accumulate)
{
    const T* source = table + (i64)ids[blockIdx.x] * width;
    f32* row = target + (i64)blockIdx.x * width;
    over(width, width % 8 == 0, threadIdx.x, blockDim.x, [&](i64 i, auto lanes) {
        f32 x[decltype(lanes)::count], y[decltype(lanes)::count] = {};
        load_some(source + i, x);
        if (accumulate)
            load_some(row + i, y);
#pragma unroll
        for (int j = 0; j < lanes.count; j++)
            y[j] = fused(scale, x[j], y[j]);
        store_some(row + i, y);
    });
}

template <class X, class Y> DEV void convert(const X* source, Y* target, i64 count)
{
    over_grid(count, count % 8 == 0, [&](i64 i, auto lanes) {
        f32 x[decltype(lanes)::count];
        load_some(source + i, x);
        store_some(target + i, x);
    });
}

// Abramowitz and Stegun 7.1.26: 1.5e-7 of absolute error, below what f32 shows of 1 + erf.
DEV f32 error_function(f32 x)
{
    f32 a = from_bits(bits_of(x) & 0x7fffffff);
    f32 t = divide(1.0f, fused(0.3275911f, a, 1.0f));
    f32 p = fused(fused(fused(fused(1.061405429f, t, -1.453152027f), t, 1.421413741f), t, -0.284496736f), t, 0.254829592f) * t;
    f32 y = 1.0f - p * exponential(-a * a);
    return x < 0 ? -y : y;
}

template <int kind> DEV f32 activation(f32 x)
{
    if constexpr (kind == 0)
        return x * sigmoid(x);
    else if constexpr (kind == 1)
        return 0.5f * x * (1.0f + hyperbolic_tangent(0.7978845608f * fused(0.044715f * x * x, x, x)));
    else if constexpr (kind == 2)
        return 0.5f * x * (1.0f + error_function(x * 0.70710678f));
    else if constexpr (kind == 3)
        return x > 0 ? x : 0.0f;
    else if constexpr (kind == 4)
        return x > 0 ? x * x : 0.0f;
    else
        return sigmoid(x);
}

template <int kind, class T> DEV void activate(const f32* gate, const f32* up, T* target, i64 count)
{
    over_grid(count, count % 8 == 0, [&](i64 i, auto lanes) {
        f32 x[decltype(lanes)::count], y[decltype(lanes)::count];
        load_some(gate + i, x);
#pragma unroll
        for (int j = 0; j < lanes.count; j++)
            x[j] = activation<kind>(x[j]);
        if (up) {
            load_some(up + i, y);
#pragma unroll
            for (int j = 0; j < lanes.count; j++)
                x[j] *= y[j];
        }
        store_some(target + i, x);
    });
}

template <class T> DEV void activate(const f32* gate, const f32* up, T* target, i64 count, int kind)
{
    switch (kind) {
    case 0: return activate<0>(gate, up, target, count);
    case 1: return activate<1>(gate, up, target, count);
    case 2: return activate<2>(gate, up, target, count);
    case 3: return activate<3>(gate, up, target, count);
    case 4: return activate<4>(gate, up, target, count);
    default: return activate<5>(gate, up, target, count);
    }
}

#define OF_TYPE(T) \
    KERNEL(embed_##T, 128, (const T* table, const i32* ids, f32* target, i32 width, f32 scale, i32 accumulate), \
        { embed(table, ids, target, width, scale, accumulate); }) \
    KERNEL(narrow_##T, 128, (const f32* source, T* target, i64 count), { convert(source, target, count); }) \
    KERNEL(widen_##T, 128, (const T* source, f32* target, i64 count), { convert(source, target, count); }) \
    KERNEL(activate_##T, 128, (const f32* gate, const f32* up, T* target, i64 count, i32 kind), \
        { activate(gate, up, target, count, kind); })
OF_TYPE(f32)
OF_TYPE(bf16)
OF_TYPE(f16)

DEV void add_bias_to(f32* target, const f32* bias, i64 count, int width)
{
    over_grid(count, width % 8 == 0, [&](i64 i, auto lanes) {
        f32 x[decltype(lanes)::count], y[decltype(lanes)::count];
        load_some(target + i, x);
        load_some(bias + i % width, y);
#pragma unroll
        for (int j = 0; j < lanes.count; j++)
            x[j] += y[j];
        store_some(target + i, x);
    });
}

DEV void combine(const f32* source, const i32* row_ids, const f32* weights, f32* target, int per_row, int width, int accumulate)
{
    over(width, width % 8 == 0, threadIdx.x, blockDim.x, [&](i64 i, auto lanes) {
        f32 sum[decltype(lanes)::count] = {}, x[decltype(lanes)::count];
        if (accumulate)
            load_some(target + i, sum);
        for (int j = 0; j < per_row; j++) {
            i64 from = row_ids[j];
            if (from < 0)
                continue;
            load_some(source + from * width + i, x);
#pragma unroll
            for (int k = 0; k < lanes.count; k++)
                sum[k] = fused(weights[j], x[k], sum[k]);
        }
        store_some(target + i, sum);
    });
}

KERNEL(add_bias, 128, (f32* target, const f32* bias, i64 count, i32 width), { add_bias_to(target, bias, count, width); })

KERNEL(gather_rows, 128, (const f32* source, const i32* row_ids, f32* target, i32 width),
{
    const f32* from = source + (i64)row_ids[blockIdx.x] * width;
    f32* to = target + (i64)blockIdx.x * width;
    over(width, width % 8 == 0, threadIdx.x, blockDim.x, [&](i64 i, auto lanes) {
        f32 x[decltype(lanes)::count];
        load_some(from + i, x);
        store_some(to + i, x);
    });
})

KERNEL(combine_rows, 128, (const f32* source, const i32* row_ids, const f32* weights, f32* target, i32 per_row, i32 width,
    i32 accumulate),
{
    i64 row = blockIdx.x;
    combine(source, row_ids + row * per_row, weights + row * per_row, target + row * width, per_row, width, accumulate);
})
