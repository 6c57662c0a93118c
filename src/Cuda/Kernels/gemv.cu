// Linear maps of few rows by plain multiply-adds: f32 activations are never rounded. T (f32, bf16, f16) is the weights' type.
// 128 threads: 4 warps, each computes one output for all rows.
//
// gemv_T   (const T* weights0, weights1, weights2, const f32* bias0, bias1, bias2, f32* target0, target1, target2,
//           const f32* source, i32 n0, n1, n2, k, rows, accumulate)
//          Up to three maps of the same source [rows, k], 1 <= rows <= 8: target_i [rows, n_i] = source weights_i^T + bias_i
//          (null: 0), or += that where bit i of accumulate is set. Grid: ceil((n0 + n1 + n2) / 4).
// gemv_experts_T   (const u64* weights, const u64* biases, const i32* chosen, const f32* source, f32* target, i32 n, i32 k,
//           i32 per_row, i32 shared)
//          One map for each pair of a row and an expert that it chose: target[pair] = source[shared ? pair / per_row : pair]
//          times the weights [n, k] at weights[chosen[pair]], plus the bias at biases[...] (biases null: 0). Grid: (ceil(n / 4),
//          pairs).
//
// Sums run over vectors of 8 columns, lane l takes vectors l, l + 32, ..., then a tree of lanes: the same for any number of rows.
// Every weight is read once, 16 bytes a lane, 4 of them in flight: with 16 blocks on a multiprocessor 128 KiB, more than the 28
// that an H200 needs. The source comes from the first cache. Registers: 64 allow 8 blocks.
#include "prelude.cuh"

struct LinearMap { const void* weights; const f32* bias; f32* target; int n, index; };

// Adds vector i of the weights times every row.
template <int rows, class T> DEV void add_products(const Weights8<T>& w, const f32* x, int k, f32 (&sums)[rows])
{
    f32 a[8], b[8];
    w.unpack(a);
#pragma unroll
    for (int r = 0; r < rows; r++) {
        load8(x + (i64)r * k, b);
#pragma unroll
        for (int j = 0; j < 8; j++)
            sums[r] = fused(a[j], b[j], sums[r]);
    }
}

template <int rows, class T> DEV void dot_rows(const T* w, const f32* x, int k, f32 (&sums)[rows])
{
    constexpr int step = warp_size * 8, ahead = 4;
    int lane = (int)threadIdx.x % warp_size;
#pragma unroll
    for (int r = 0; r < rows; r++)
        sums[r] = 0;
    if (k % 8 != 0) {
        for (int i = lane; i < k; i += warp_size)
#pragma unroll
            for (int r = 0; r < rows; r++)
                sums[r] = fused(widen(w[i]), x[(i64)r * k + i], sums[r]);
    } else {
        int i = lane * 8;
        for (; i + (ahead - 1) * step < k; i += ahead * step) {
            Weights8<T> some[ahead];
#pragma unroll
            for (int j = 0; j < ahead; j++)
                some[j] = Weights8<T>::load(w + i + j * step);
#pragma unroll
            for (int j = 0; j < ahead; j++)
                add_products<rows, T>(some[j], x + i + j * step, k, sums);
        }
        for (; i < k; i += step)
            add_products<rows, T>(Weights8<T>::load(w + i), x + i, k, sums);
    }
#pragma unroll
    for (int r = 0; r < rows; r++)
        sums[r] = warp_sum(sums[r]);
}

template <int rows, class T>
DEV void store_rows(const LinearMap& map, int output, const f32* source, int k, int accumulate)
{
    f32 sums[rows];
    dot_rows<rows>((const T*)map.weights + (i64)output * k, source, k, sums);
    if (threadIdx.x % warp_size != 0)
        return;
    f32 bias = map.bias ? map.bias[output] : 0.0f;
#pragma unroll
    for (int r = 0; r < rows; r++) {
        f32* place = map.target + (i64)r * map.n + output;
        *place = (accumulate >> map.index & 1 ? *place : 0.0f) + (sums[r] + bias);
    }
}

template <class T>
DEV void gemv(LinearMap a, const LinearMap& b, const LinearMap& c, const f32* source, int k, int rows, int accumulate)
{
    int output = (int)blockIdx.x * 4 + (int)threadIdx.x / warp_size;
    if (output >= a.n + b.n + c.n)
        return;
    if (output >= a.n + b.n) {
        output -= a.n + b.n;
        a = c;
    } else if (output >= a.n) {
        output -= a.n;
        a = b;
    }
    // Rows in groups of 4, 2 and 1: what one row gets does not depend on its group.
    for (; rows >= 4; rows -= 4, source += 4 * (i64)k, a.target += 4 * (i64)a.n)
        store_rows<4, T>(a, output, source, k, accumulate);
    for (; rows >= 2; rows -= 2, source += 2 * (i64)k, a.target += 2 * (i64)a.n)
        store_rows<2, T>(a, output, source, k, accumulate);
    if (rows > 0)
        store_rows<1, T>(a, output, source, k, accumulate);
}

#define GEMV(T) \
    KERNEL_OCCUPIED(gemv_##T, 128, 8, (const T* weights0, const T* weights1, const T* weights2, const f32* bias0, \
        const f32* bias1, \
        const f32* bias2, f32* target0, f32* target1, f32* target2, const f32* source, i32 n0, i32 n1, i32 n2, i32 k, i32 rows, \
        i32 accumulate), \
        { gemv<T>(LinearMap{weights0, bias0, target0, n0, 0}, LinearMap{weights1, bias1, target1, n1, 1}, \
            LinearMap{weights2, bias2, target2, n2, 2}, source, k, rows, accumulate); })
GEMV(f32)
GEMV(bf16)
GEMV(f16)

template <class T>
DEV void gemv_experts(const u64* weights, const u64* biases, const i32* chosen, const f32* source, f32* target, int n, int k,
    int per_row, int shared)
{
    int pair = (int)blockIdx.y, output = (int)blockIdx.x * 4 + (int)threadIdx.x / warp_size;
    if (output >= n)
        return;
    int expert = chosen[pair];
    LinearMap map{(const void*)weights[expert], biases ? (const f32*)biases[expert] : nullptr, target + (i64)pair * n, n, 0};
    store_rows<1, T>(map, output, source + (i64)(shared ? pair / per_row : pair) * k, k, 0);
}

#define GEMV_EXPERTS(T) \
    KERNEL_OCCUPIED(gemv_experts_##T, 128, 8, (const u64* weights, const u64* biases, const i32* chosen, const f32* source, \
        f32* target, i32 n, i32 k, i32 per_row, i32 shared), \
        { gemv_experts<T>(weights, biases, chosen, source, target, n, k, per_row, shared); })
GEMV_EXPERTS(f32)
GEMV_EXPERTS(bf16)
GEMV_EXPERTS(f16)
