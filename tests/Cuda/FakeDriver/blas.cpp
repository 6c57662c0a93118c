// cuBLASLt's product as a loop, with the layouts that src/Cuda asks for checked.
#include "fake.h"
#include "kernels.h"

using namespace fake;

static_assert(sizeof(size_t) == 8 && sizeof(void*) == 8, "LP64");

struct Algorithm { uint64_t data[8]; };
static_assert(sizeof(Algorithm) == 64, "cublasLtMatmulAlgo_t");
struct Heuristic { Algorithm algorithm; size_t workspace; int state; float waves; int reserved[4]; };
static_assert(sizeof(Heuristic) == 96 && offsetof(Heuristic, workspace) == 64 && offsetof(Heuristic, state) == 72
    && offsetof(Heuristic, waves) == 76, "cublasLtMatmulHeuristicResult_t");

struct Layout { int type; uint64_t rows, columns; int64_t leading; };
struct Desc { int compute, scale, transpose_a = 0, transpose_b = 0, epilogue = 1, bias_type = -1; uint64_t bias = 0; };
struct Preference { uint64_t workspace = 0; uint32_t reductions = 7; };

enum { Ok = 0, Invalid = 7, NotSupported = 15 };
constexpr uint64_t mark = 0x4855524b;

static int size_of(int type) { return type == 0 ? 4 : 2; }

static float number(uint64_t p, int64_t i, int type)
{
    if (type == 0)
        return ((float*)p)[i];
    uint16_t bits = ((uint16_t*)p)[i];
    if (type == 14) {
        uint32_t wide = (uint32_t)bits << 16;
        float x;
        return memcpy(&x, &wide, 4), x;
    }
    _Float16 half;
    return memcpy(&half, &bits, 2), (float)half;
}

static void store(uint64_t p, int64_t i, int type, float x)
{
    if (type == 0) {
        ((float*)p)[i] = x;
        return;
    }
    uint16_t bits;
    if (type == 14) {
        uint32_t wide;
        memcpy(&wide, &x, 4);
        bits = x != x ? 0x7fc0 : (uint16_t)((wide + 0x7fff + (wide >> 16 & 1)) >> 16);
    } else {
        _Float16 half = (_Float16)x;
        memcpy(&bits, &half, 2);
    }
    ((uint16_t*)p)[i] = bits;
}

EXPORT int cublasLtCreate(void** handle) { return *handle = malloc(1), Ok; }
EXPORT int cublasLtDestroy(void* handle) { return free(handle), Ok; }
EXPORT size_t cublasLtGetVersion() { return 120400; }
EXPORT const char* cublasLtGetStatusString(int) { return "a status of the fake cuBLASLt"; }
EXPORT int cublasLtMatmulDescCreate(Desc** desc, int compute, int scale)
{
    return *desc = new Desc{compute, scale}, compute == 68 && scale == 0 ? Ok : NotSupported;
}
EXPORT int cublasLtMatmulDescDestroy(Desc* desc) { return delete desc, Ok; }
EXPORT int cublasLtMatmulDescSetAttribute(Desc* desc, int name, const void* value, size_t bytes)
{
    int32_t word = bytes == 4 ? *(const int32_t*)value : 0;
    switch (name) {
    case 3: return desc->transpose_a = word, bytes == 4 ? Ok : Invalid;
    case 4: return desc->transpose_b = word, bytes == 4 ? Ok : Invalid;
    case 7: return desc->epilogue = word, bytes == 4 ? Ok : Invalid;
    case 8: return memcpy(&desc->bias, value, 8), bytes == 8 ? Ok : Invalid;
    case 26: return desc->bias_type = word, bytes == 4 ? Ok : Invalid;
    default: return Invalid;
    }
}
EXPORT int cublasLtMatrixLayoutCreate(Layout** layout, int type, uint64_t rows, uint64_t columns, int64_t leading)
{
    return *layout = new Layout{type, rows, columns, leading}, leading >= (int64_t)rows ? Ok : Invalid;
}
EXPORT int cublasLtMatrixLayoutDestroy(Layout* layout) { return delete layout, Ok; }
EXPORT int cublasLtMatmulPreferenceCreate(Preference** preference) { return *preference = new Preference, Ok; }
EXPORT int cublasLtMatmulPreferenceDestroy(Preference* preference) { return delete preference, Ok; }
EXPORT int cublasLtMatmulPreferenceSetAttribute(Preference* preference, int name, const void* value, size_t bytes)
{
    switch (name) {
    case 1: return memcpy(&preference->workspace, value, 8), bytes == 8 ? Ok : Invalid;
    case 3: return memcpy(&preference->reductions, value, 4), bytes == 4 ? Ok : Invalid;
    default: return Invalid;
    }
}

static bool fits(const Desc* desc, const Layout* a, const Layout* b, const Layout* d)
{
    return desc->transpose_a == 1 && desc->transpose_b == 0 && a->type == b->type && (d->type == 0 || d->type == a->type) && a->rows == b->rows
        && d->rows == a->columns && d->columns == b->columns && (desc->epilogue == 1 || (desc->epilogue == 4 && desc->bias_type == d->type));
}

EXPORT int cublasLtMatmulAlgoGetHeuristic(void*, Desc* desc, Layout* a, Layout* b, Layout* c, Layout* d, Preference* preference,
    int wanted, Heuristic* found, int* count)
{
    *count = 0;
    fake_counters.searches++;
    if (!fits(desc, a, b, d) || c != d || preference->workspace == 0 || (desc->epilogue == 4 && desc->bias == 0))
        return NotSupported;
    for (int i = 0; i < wanted && i < 3; i++) {
        memset(&found[i], 0, sizeof found[i]);
        found[i].algorithm.data[0] = mark;
        found[i].algorithm.data[1] = (uint64_t)i;
        // The third splits the sum.
        found[i].state = i == 2 && preference->reductions == 0 ? NotSupported : 0;
        (*count)++;
    }
    return Ok;
}
EXPORT int cublasLtMatmulAlgoCheck(void*, Desc* desc, Layout* a, Layout* b, Layout*, Layout* d, const Algorithm* algorithm, Heuristic* result)
{
    memset(result, 0, sizeof *result);
    result->algorithm = *algorithm;
    return fits(desc, a, b, d) && algorithm->data[0] == mark ? Ok : Invalid;
}
EXPORT int cublasLtMatmul(void*, Desc* desc, const float* alpha, uint64_t a, Layout* la, uint64_t b, Layout* lb, const float* beta,
    uint64_t c, Layout* lc, uint64_t d, Layout* ld, const Algorithm* algorithm, uint64_t workspace, size_t workspace_bytes, Stream* stream)
{
    std::lock_guard<std::recursive_mutex> lock(gate);
    if (!fits(desc, la, lb, ld) || c != d || lc != ld || algorithm->data[0] != mark || workspace % 256 != 0
        || !is_device(workspace, workspace_bytes))
        return Invalid;
    auto n = (int64_t)la->columns, k = (int64_t)la->rows, m = (int64_t)lb->columns;
    int type = la->type, output = ld->type;
    if (!is_device(a, (size_t)(n * k * size_of(type))) || !is_device(b, (size_t)(m * k * size_of(type)))
        || !is_device(d, (size_t)(m * n * size_of(output)))
        || (desc->epilogue == 4 && !is_device(desc->bias, (size_t)(n * size_of(output)))))
        fail("a product reads or writes outside of device memory");
    submit(stream, [=, scale = *alpha, old = *beta, bias = desc->epilogue == 4 ? desc->bias : 0] {
        for (int64_t row = 0; row < m; row++)
            for (int64_t column = 0; column < n; column++) {
                double sum = 0;
                for (int64_t i = 0; i < k; i++)
                    sum += (double)number(a, column * k + i, type) * number(b, row * k + i, type);
                int64_t at = row * n + column;
                double before = old != 0 ? (double)old * number(d, at, output) : 0;
                store(d, at, output, (float)(scale * sum + before + (bias ? number(bias, column, output) : 0)));
            }
    });
    return Ok;
}
