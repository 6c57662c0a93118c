// Norms of rows of f32. T (f32, bf16, f16) is what the target holds. One block of 128 threads per row, so the order of a row's
// sums depends on nothing but its width. A norm over heads is one over rows * heads rows of headDim.
//
// rms_norm_T     (const f32* source, const f32* weight, T* target, i32 width, f32 epsilon, i32 groups)
//                target = source / sqrt(mean(source^2) + epsilon) * weight (null: 1). Grid: rows. f32: target may be source.
//                Row r takes weight[r % groups], so that heads may have weights of their own.
// layer_norm_T   (const f32* source, const f32* weight, const f32* bias, T* target, i32 width, f32 epsilon, i32 groups)
//                target = (source - mean) / sqrt(variance + epsilon) * weight + bias (null: 1, 0). Grid: rows.
//
// Bound by memory: reads 4 and writes sizeof(T) bytes an element; the second and third pass over the row come from the first
// cache.
#include "prelude.cuh"

template <class F> DEV f32 row_sum(int width, f32* parts, F f)
{
    f32 sum = 0;
    if (width % 4 == 0)
        for (int i = (int)threadIdx.x * 4; i < width; i += (int)blockDim.x * 4)
            sum += (f(i) + f(i + 1)) + (f(i + 2) + f(i + 3));
    else
        for (int i = (int)threadIdx.x; i < width; i += (int)blockDim.x)
            sum += f(i);
    return block_sum(sum, parts);
}

template <class T> DEV void store4(T* target, f32 a, f32 b, f32 c, f32 d) { *(u2*)target = u2{pack<T>(a, b), pack<T>(c, d)}; }
template <> DEV void store4<f32>(f32* target, f32 a, f32 b, f32 c, f32 d)
{
    *(u4*)target = u4{bits_of(a), bits_of(b), bits_of(c), bits_of(d)};
}

template <class T, class F> DEV void store_row(int width, T* target, F f)
{
    if (width % 4 == 0)
        for (int i = (int)threadIdx.x * 4; i < width; i += (int)blockDim.x * 4)
            store4(target + i, f(i), f(i + 1), f(i + 2), f(i + 3));
    else
        for (int i = (int)threadIdx.x; i < width; i += (int)blockDim.x)
            target[i] = narrow<T>(f(i));
}

template <class T> DEV void rms_norm(const f32* source, const f32* weight, T* target, int width, f32 epsilon, int groups)
{
    if (weight)
        weight += (i64)((int)blockIdx.x % groups) * width;
    SHARED(f32[4], parts);
    const f32* x = source + (i64)blockIdx.x * width;
    f32 squares = row_sum(width, parts, [&](int i) { return x[i] * x[i]; });
    f32 scale = divide(1.0f, root(divide(squares, (f32)width) + epsilon));
    store_row(width, target + (i64)blockIdx.x * width, [&](int i) { return x[i] * scale * (weight ? weight[i] : 1.0f); });
}

template <class T>
DEV void layer_norm(const f32* source, const f32* weight, const f32* bias, T* target, int width, f32 epsilon, int groups)
{
    i64 own = (i64)((int)blockIdx.x % groups) * width;
    if (weight)
        weight += own;
    if (bias)
        bias += own;
    SHARED(f32[4], parts);
    const f32* x = source + (i64)blockIdx.x * width;
    f32 mean = divide(row_sum(width, parts, [&](int i) { return x[i]; }), (f32)width);
    f32 squares = row_sum(width, parts, [&](int i) { return (x[i] - mean) * (x[i] - mean); });
    f32 scale = divide(1.0f, root(divide(squares, (f32)width) + epsilon));
    store_row(width, target + (i64)blockIdx.x * width,
        [&](int i) { return fused((x[i] - mean) * scale, weight ? weight[i] : 1.0f, bias ? bias[i] : 0.0f); });
}

#define OF_TYPE(T) \
    KERNEL(rms_norm_##T, 128, (const f32* source, const f32* weight, T* target, i32 width, f32 epsilon, i32 groups), \
        { rms_norm(source, weight, target, width, epsilon, groups); }) \
    KERNEL(layer_norm_##T, 128, (const f32* source, const f32* weight, const f32* bias, T* target, i32 width, f32 epsilon, \
        i32 groups), { layer_norm(source, weight, bias, target, width, epsilon, groups); })
OF_TYPE(f32)
OF_TYPE(bf16)
OF_TYPE(f16)
